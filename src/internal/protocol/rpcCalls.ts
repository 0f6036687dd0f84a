/**
 * The calls of a protocol that is spoken over a connection which a handler took over: RPC over a plain socket or a
 * WebSocket. While it is owed the result of a call, it is not asked to leave.
 */
import { noteCutElsewhere } from "../core/cutElsewhere.js"
import { setImmediate } from "../node/timers.js"
import { lingerMillis } from "../core/protocol.js"
import { goAway, tellWith } from "./upgraded.js"
import type { Open, Owed } from "../core/connections.js"

export class Call implements Owed {
  readonly method = "RPC"
  readonly path: string
  readonly stream = undefined
  readonly ofApp = true
  readonly since: number
  /** It was there when draining started, or on its way: for as long as it takes, others are served as well. */
  readonly awaited: boolean
  answered = false
  told503 = false
  interrupted = false
  readonly endedEarly = false
  /** The first part of its result has been sent. */
  begun = false
  previous: Owed | undefined = undefined
  next: Owed | undefined = undefined
  isInFlight = false
  #onCut = () => {}

  constructor(path: string, since: number, awaited: boolean) {
    this.path = path
    this.since = since
    this.awaited = awaited
  }

  get status(): number | undefined {
    return this.begun ? 200 : undefined
  }

  endEventStream(): boolean {
    return false
  }

  guard(onCut: () => void): void {
    this.#onCut = onCut
  }

  ended(): void {
    if (!this.answered) this.#onCut()
  }
}

/** The calls of one connection. */
export class Calls {
  readonly #open: Open
  readonly #goodbye: () => void
  readonly #calls = new Set<Call>()
  #awaited = 0
  /** What was on its way when draining started has arrived. */
  #crossed = false
  #refusing = false

  constructor(open: Open) {
    const { tell, told } = open
    this.#open = open
    this.#goodbye = tell ?? (() => goAway(open) || hangUp(open))
    this.#refusing = told
    tellWith(open, () => this.#leave())
  }

  /** A call has arrived: `undefined` if it must not be executed. Its client learns of that when we close. */
  begin(path: string): Call | undefined {
    const { owed, registry } = this.#open
    if (this.#refusing || registry.killing || this.#open.state === "Closed") return undefined
    const draining = registry.endingLongLived
    if (draining && (this.#calls.size === 0 ? this.#crossed : this.#awaited === 0)) return undefined
    const call = new Call(path, registry.now(), !draining || this.#calls.size === 0)
    this.#calls.add(call)
    if (call.awaited) this.#awaited++
    owed.add(call)
    return call
  }

  end(call: Call): void {
    const open = this.#open
    const { owed, registry } = open
    if (!this.#calls.delete(call)) return
    if (call.awaited) this.#awaited--
    owed.delete(call)
    call.ended()
    if (!registry.serve(open, call) && open.destroyedHere) noteCutElsewhere(open, call)
    if (this.#calls.size > 0 || !registry.endingLongLived) return
    this.#crossed = true
    open.told = false
    open.protocol.leave(open)
  }

  /** It is idle, and it is time to leave. What has reached the kernel takes a turn to be read, and one to be handled. */
  #leave(): void {
    if (this.#refusing) return
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
const hangUp = (open: Open): void => {
  open.leaving = true
  open.lingersUntil = open.registry.now() + lingerMillis
  open.socket.end()
  open.registry.consider(open)
}

const known = new WeakMap<Open, Calls>()

/** Its calls are awaited: it was served `withDrain`. */
export const hasCalls = (open: Open): boolean => known.has(open)

/** From now on, a connection is taken to be idle while it has no call in flight. */
export const callsOf = (open: Open): Calls => {
  const before = known.get(open)
  if (before !== undefined) return before
  const calls = new Calls(open)
  known.set(open, calls)
  return calls
}
