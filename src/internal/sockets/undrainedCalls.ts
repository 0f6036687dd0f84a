/**
 * Calls of RPC that runs without `withDrain`, as they are seen over its socket: while one is in flight, its client is not
 * asked to leave, and the report names those that are cut. The span of a call has its name.
 */
import type * as Socket from "@effect/platform/Socket"
import type * as Fiber from "effect/Fiber"
import type { TrackedConnection } from "../core/connection.js"
import { noteIfDestroyedHere, noteUndrained } from "../core/cutElsewhere.js"
import * as Rpc from "../effect/rpc.js"
import { Call, hasCalls } from "../protocol/rpcCalls.js"
import { upgradedOf } from "../protocol/upgraded.js"

type AnyFiber = Fiber.RuntimeFiber<unknown, unknown>

interface Running {
  /** What tells it from others without a name. */
  readonly isCall: boolean
  readonly since: number
  path: string | undefined
  /** Parts of its result that have been sent. */
  parts: number
  /** The last of them. */
  last: unknown
  /** What the report calls it, once it is known to be one. */
  call: Call | undefined
}

const unnamed = "(unnamed)"

/** One that is in flight. Its name is known once its handler has begun. */
class SeenCall extends Call {
  readonly #fiber: AnyFiber
  readonly #running: Running

  constructor(fiber: AnyFiber, running: Running) {
    super(unnamed, running.since, false)
    this.#fiber = fiber
    this.#running = running
  }

  override get path(): string {
    return this.#running.path ??= Rpc.nameOf(this.#fiber) ?? unnamed
  }

  override get status(): number | undefined {
    return this.#running.parts > 0 ? 200 : undefined
  }
}

class UndrainedCalls implements Rpc.SocketWatch<Running> {
  readonly #connection: TrackedConnection
  readonly #running = new Map<AnyFiber, Running>()
  /** RPC is spoken over it, and nothing else. */
  #speaksRpc = false
  /** The peer was asked to leave: no answer can be sent any more. */
  #asked = false
  /** Nothing is read or written any more. */
  #ended = false

  constructor(connection: TrackedConnection) {
    this.#connection = connection
    upgradedOf(connection)?.watch({
      goingAway: () => {
        this.#asked = true
        this.#cut()
      },
      deadline: () => this.#await()
    })
  }

  onStart(fiber: AnyFiber, isCall: boolean): Running | undefined {
    const connection = this.#connection
    if (hasCalls(connection)) return undefined
    const running: Running = {
      isCall,
      since: connection.registry.now(),
      path: undefined,
      parts: 0,
      last: undefined,
      call: undefined
    }
    this.#running.set(fiber, running)
    if (!isCall) return running
    this.#speaksRpc = true
    upgradedOf(connection)?.takesNoMessage()
    if (!this.#asked && !this.#isAborting) connection.exchanges.add(running.call = new SeenCall(fiber, running))
    return running
  }

  onEnd(fiber: AnyFiber, running: Running, wasReleased: boolean): void {
    this.#running.delete(fiber)
    const { call, last, path } = running
    const answered = last !== undefined && !(wasReleased && (this.#ended || Rpc.saysInterrupted(last)))
    const isReleased = wasReleased && !this.#ended && !answered && !this.#connection.socket.readableEnded
    if (call !== undefined) this.#over(running, call, answered, isReleased && !this.#isAborting)
    // one that has crossed our request to leave
    else if (this.#asked && path !== undefined) this.#note(running, path)
    else if (isReleased) {
      forgetLast(running)
      this.#note(running, path ?? unnamed)
    }
  }

  onSend(fiber: AnyFiber, running: Running, chunk: unknown): void {
    running.path ??= Rpc.nameOf(fiber)
    if (this.#ended || this.#asked) running.last = undefined
    else {
      // what is interrupted at the deadline says so
      if (!this.#isAborting) running.parts++
      running.last = chunk
    }
  }

  onClose(): void {
    if (this.#asked) this.#cut()
    this.#ended = true
  }

  isRefusing(): boolean {
    return this.#asked && this.#speaksRpc
  }

  hasClosed(): boolean {
    return this.#connection.state === "Closed"
  }

  get #isAborting(): boolean {
    return this.#connection.registry.lifecycle.isAborting
  }

  /** A call has ended. Its client is asked to leave after the last one. */
  #over(running: Running, call: Call, answered: boolean, isReleased: boolean): void {
    const connection = this.#connection
    const { exchanges } = connection
    if (!exchanges.delete(call)) return
    call.answered = answered
    call.ended()
    const served = connection.complete(call)
    if (isReleased) {
      forgetLast(running)
      noteUndrained(connection, call)
    } else if (!served) noteIfDestroyedHere(connection, call)
    if (exchanges.size === 0 && connection.endsLongLived && !this.#asked) upgradedOf(connection)?.goAwayAgain()
  }

  /** Whatever runs now has no answer to come. */
  #cut(): void {
    for (const [fiber, running] of this.#running) {
      const path = pathOf(fiber, running)
      if (running.call === undefined && path !== undefined) this.#note(running, path)
    }
  }

  /** The deadline has passed: what runs now is cut like every other request. */
  #await(): void {
    if (this.#asked) return
    for (const [fiber, running] of this.#running) {
      const path = pathOf(fiber, running)
      if (running.call !== undefined || path === undefined) continue
      running.call = callOf(running, path)
      this.#connection.exchanges.add(running.call)
    }
  }

  #note(running: Running, path: string): void {
    running.call = callOf(running, path)
    noteUndrained(this.#connection, running.call)
  }
}

/** The same socket, which is not opened a second time. Calls of RPC over it are seen, for the report. */
export const once = (socket: Socket.Socket, connection: TrackedConnection | undefined): Socket.Socket =>
  Rpc.once(socket, connection === undefined ? undefined : new UndrainedCalls(connection))

const callOf = ({ parts, since }: Running, path: string): Call => {
  const call = new Call(path, since, false)
  call.begun = parts > 0
  return call
}

/** The last part says that there will be no more. */
const forgetLast = (running: Running): void => {
  if (running.parts > 0) running.parts--
}

/** Nothing where it may be something else that runs beside a handler. Calls that are not traced have no name. */
const pathOf = (fiber: AnyFiber, { isCall, path }: Running): string | undefined =>
  path ?? Rpc.nameOf(fiber) ?? (isCall ? unnamed : undefined)
