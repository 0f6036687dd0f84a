/**
 * The calls of a protocol that is spoken over a connection which a handler took over: RPC over a plain socket or a
 * WebSocket. While it is owed the result of a call, it is not asked to leave.
 */
import type { TrackedConnection } from "../core/connection.js"
import { noteIfDestroyedHere } from "../core/cutElsewhere.js"
import { Exchange } from "../core/exchange.js"
import { setImmediate } from "../node/timers.js"
import { type Upgraded, upgradedOf } from "./upgraded.js"

export class Call extends Exchange {
  readonly stream = undefined
  /** It was there when draining started, or on its way: for as long as it takes, others are served as well. */
  readonly awaited: boolean
  /** The first part of its result has been sent. */
  begun = false
  #onCut = () => {}

  constructor(path: string, since: number, awaited: boolean) {
    super("RPC", path, true, since)
    this.awaited = awaited
  }

  get status(): number | undefined {
    return this.begun ? 200 : undefined
  }

  endEventStream(): boolean {
    return false
  }

  abortOnEnd(onCut: () => void): void {
    this.#onCut = onCut
  }

  ended(): void {
    if (!this.answered) this.#onCut()
  }
}

/** The calls of one connection. */
export class Calls {
  readonly #connection: TrackedConnection
  readonly #upgraded: Upgraded
  readonly #goodbye: () => void
  readonly #calls = new Set<Call>()
  #awaited = 0
  /** What was on its way when draining started has arrived. */
  #crossed = false
  #refusing = false

  constructor(connection: TrackedConnection, upgraded: Upgraded) {
    const { goingAwaySent, sendGoingAway } = upgraded
    this.#connection = connection
    this.#upgraded = upgraded
    this.#goodbye = sendGoingAway ?? (() => upgraded.goAway() || hangUp(connection))
    this.#refusing = goingAwaySent
    upgraded.takesNoMessage()
    upgraded.goAwayBy(() => this.#leave())
  }

  /** A call has arrived: `undefined` if it must not be executed. Its client learns of that when we close. */
  begin(path: string): Call | undefined {
    const { registry } = this.#connection
    if (this.#refusing || registry.lifecycle.isAborting) return undefined
    const draining = this.#connection.endsLongLived
    if (draining && (this.#calls.size === 0 ? this.#crossed : this.#awaited === 0)) return undefined
    const call = new Call(path, registry.now(), !draining || this.#calls.size === 0)
    this.#calls.add(call)
    if (call.awaited) this.#awaited++
    this.#upgraded.exchanges.add(call)
    return call
  }

  end(call: Call): void {
    const connection = this.#connection
    if (!this.#calls.delete(call)) return
    if (call.awaited) this.#awaited--
    this.#upgraded.exchanges.delete(call)
    call.ended()
    if (!connection.complete(call)) noteIfDestroyedHere(connection, call)
    if (this.#calls.size > 0 || !connection.endsLongLived) return
    this.#crossed = true
    this.#upgraded.goAwayAgain()
  }

  /** It is idle, and it is time to leave. What has reached the kernel takes a turn to be read, and one to be handled. */
  #leave(): void {
    if (this.#refusing || this.#connection.state === "Closed") return
    if (this.#crossed) {
      this.#refusing = true
      this.#goodbye()
    } else {
      setImmediate(setImmediate, () => {
        this.#crossed = true
        if (this.#calls.size === 0) this.#leave()
      })
    }
  }
}

/** Ends our side and reads on, until the peer has closed its own: no RST destroys what it has not read yet. */
const hangUp = (connection: TrackedConnection): void => {
  connection.startClosing()
  connection.socket.end()
  connection.linger()
}

const known = new WeakMap<Upgraded, Calls>()

/** Its calls are awaited: it was served `withDrain`. */
export const hasCalls = (connection: TrackedConnection): boolean => {
  const upgraded = upgradedOf(connection)
  return upgraded !== undefined && known.has(upgraded)
}

/** From now on, a connection is taken to be idle while it has no call in flight. `undefined` once it has closed. */
export const callsOf = (connection: TrackedConnection): Calls | undefined => {
  const upgraded = connection.state === "Closed" ? undefined : upgradedOf(connection)
  if (upgraded === undefined) return undefined
  const before = known.get(upgraded)
  if (before !== undefined) return before
  const calls = new Calls(connection, upgraded)
  known.set(upgraded, calls)
  return calls
}
