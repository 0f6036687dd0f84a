/**
 * One connection of a busy client: one request at a time, and how each of them ended.
 */
import * as Net from "node:net"
import { type HttpResponse, parseResponses } from "./httpResponses.js"
import type { Target } from "./rawClient.js"

export type Exchange =
  | { readonly _tag: "Answered"; readonly response: HttpResponse }
  /** The connection was reset (`reset`) or closed (`fin`) before the whole response had come. */
  | { readonly _tag: "Lost"; readonly how: "reset" | "fin" }
  /** We gave up waiting and left. */
  | { readonly _tag: "Left" }

export interface Wire {
  readonly localPort: number | undefined
  readonly openedAt: number
  /** Answers so far on this connection. */
  readonly answered: number
  /** The peer or we have ended it; nothing more can be sent. */
  readonly over: boolean
  readonly exchange: (request: string) => Promise<Exchange>
  readonly leave: () => void
}

export type Opened =
  | { readonly _tag: "Connected"; readonly wire: Wire }
  | { readonly _tag: "Refused" }
  /** Reset or timed out while connecting. */
  | { readonly _tag: "Failed"; readonly code: string }

/** The server is not there (`ENOENT`: its Unix socket is not), or its queue is full (`EAGAIN`: only Unix sockets say so). */
const refusals = new Set(["ECONNREFUSED", "ENOENT", "EAGAIN"])

export const open = (target: Target): Promise<Opened> =>
  new Promise((resolve) => {
    const socket = Net.connect("path" in target ? target : { host: "127.0.0.1", ...target })
    socket.setNoDelay(true)
    const failed = (error: NodeJS.ErrnoException) => {
      const code = error.code ?? error.message
      resolve(refusals.has(code) ? { _tag: "Refused" } : { _tag: "Failed", code })
    }
    socket.once("error", failed)
    socket.once("connect", () => {
      socket.off("error", failed)
      resolve({ _tag: "Connected", wire: makeWire(socket) })
    })
  })

const makeWire = (socket: Net.Socket): Wire => {
  const localPort = socket.localPort
  let waiting: ((outcome: Exchange) => void) | undefined
  let buffered: Buffer = Buffer.alloc(0)
  let answered = 0
  /** How it ended: the peer, or we, said so first. */
  let ending: "reset" | "fin" | "left" | undefined

  const settle = (outcome: Exchange) => {
    const resolve = waiting
    waiting = undefined
    resolve?.(outcome)
  }
  const read = (ended: boolean) => {
    if (waiting === undefined) return
    const { consumed, responses } = parseResponses(buffered, { ended })
    const response = responses[0]
    if (response?.complete !== true) return
    buffered = buffered.subarray(consumed)
    answered++
    settle({ _tag: "Answered", response })
  }
  const finish = (how: "reset" | "fin") => {
    ending ??= how
    read(how === "fin")
    settle({ _tag: "Lost", how })
  }
  socket.on("data", (chunk: Buffer) => {
    buffered = buffered.length === 0 ? chunk : Buffer.concat([buffered, chunk])
    read(false)
  })
  socket.on("end", () => finish("fin"))
  socket.on("error", () => finish("reset"))
  socket.on("close", () => finish("reset"))

  return {
    localPort,
    openedAt: performance.now(),
    get answered() {
      return answered
    },
    get over() {
      return ending !== undefined
    },
    exchange: (request) =>
      new Promise((resolve) => {
        if (ending !== undefined) return resolve(ending === "left" ? { _tag: "Left" } : { _tag: "Lost", how: ending })
        waiting = resolve
        socket.write(request, "latin1")
      }),
    leave: () => {
      ending ??= "left"
      settle({ _tag: "Left" })
      socket.destroy()
    }
  }
}
