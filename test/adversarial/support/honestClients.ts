/**
 * Clients that behave, beside an attack: each sends one request after the other, and compares every byte of the answer
 * with what it has sent.
 */
import { saysClose } from "../../support/httpResponses.js"
import type { Target } from "../../support/rawClient.js"
import { pace, waitFor } from "../../support/wait.js"
import { open, type Wire } from "../../support/wire.js"

export interface HonestClients {
  readonly answered: number
  /** Answers that were not what was sent, and requests that were not answered. */
  readonly wronged: ReadonlyArray<string>
  /** Connections that could not be opened, or were reset before the first answer. */
  readonly refused: number
  /** Waits until each of them has had that many more answers. */
  readonly served: (more: number, limitMs: number) => Promise<void>
  /** They open no more connections. */
  readonly closing: () => void
  /** They send nothing more: what is in flight is awaited. */
  readonly stop: (limitMs: number) => Promise<void>
}

export interface Options {
  readonly clients?: number
  readonly thinkMs?: number
}

export const startHonestClients = (target: Target, { clients = 4, thinkMs = 5 }: Options = {}): HonestClients => {
  const wronged: Array<string> = []
  const wires = new Set<Wire>()
  const perClient = Array.from({ length: clients }, () => 0)
  let refused = 0
  let mayOpen = true
  let stopping = false

  const connected = async (): Promise<Wire | undefined> => {
    while (mayOpen && !stopping) {
      const result = await open(target)
      if (result._tag === "Connected") {
        wires.add(result.wire)
        return result.wire
      }
      refused++
      await pace(20)
    }
    return undefined
  }
  const client = async (index: number): Promise<void> => {
    let wire: Wire | undefined
    for (let n = 0; !stopping; n++) {
      if (wire?.over === true) {
        wires.delete(wire)
        wire = undefined
      }
      wire ??= await connected()
      if (wire === undefined) return
      const body = `${index}-${n} `.repeat(1 + ((n * 37) % 200))
      const outcome = await wire.exchange(
        `POST /echo HTTP/1.1\r\nHost: test\r\nContent-Length: ${body.length}\r\n\r\n${body}`
      )
      if (outcome._tag === "Left") return
      if (outcome._tag === "Lost") {
        if (wire.answered > 0) wronged.push(`request ${index}-${n} was lost (${outcome.how})`)
        else refused++
        wire.leave()
        continue
      }
      const { response } = outcome
      if (response.status !== 200 || response.body.toString() !== body) {
        wronged.push(`request ${index}-${n} was answered ${response.status} ${response.body.toString().slice(0, 50)}`)
      }
      perClient[index]!++
      if (saysClose(response)) wire.leave()
      await pace(thinkMs)
    }
  }
  const ended = Promise.all(perClient.map((_, index) => client(index)))

  const answered = () => perClient.reduce((sum, count) => sum + count, 0)
  return {
    wronged,
    get answered() {
      return answered()
    },
    get refused() {
      return refused
    },
    served: async (more, limitMs) => {
      const before = [...perClient]
      await waitFor(
        () => `${more} more answers for each honest client; they had ${before.join()}, and have ${perClient.join()}`,
        () => perClient.every((count, index) => count >= before[index]! + more),
        limitMs
      )
    },
    closing: () => {
      mayOpen = false
    },
    stop: async (limitMs) => {
      stopping = true
      try {
        await waitFor("the last answers of the honest clients", ended, limitMs)
      } finally {
        for (const wire of wires) wire.leave()
      }
    }
  }
}
