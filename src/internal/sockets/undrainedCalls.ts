/**
 * Calls of RPC that runs without `withDrain`: a drain does not wait for them, but the report names those that are cut.
 *
 * `@effect/rpc` runs each call in a fiber that has no parent and begins uninterruptible. A supervisor of what the
 * handler of the connection runs sees it start, so that no message is decoded for it. The span of a call has its name.
 */
import * as Socket from "@effect/platform/Socket"
import * as Cause from "effect/Cause"
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as FiberRef from "effect/FiberRef"
import * as FiberRefs from "effect/FiberRefs"
import * as HashSet from "effect/HashSet"
import * as Option from "effect/Option"
import * as RuntimeFlags from "effect/RuntimeFlags"
import * as Supervisor from "effect/Supervisor"
import type { AnySpan } from "effect/Tracer"
import type { TrackedConnection } from "../core/connection.js"
import { noteUndrained } from "../core/cutElsewhere.js"
import { Call, hasCalls } from "../protocol/rpcCalls.js"
import { upgradedOf } from "../protocol/upgraded.js"

type AnyFiber = Fiber.RuntimeFiber<unknown, unknown>

interface Running {
  /** `@effect/rpc` keeps the failures of what it runs to itself: what tells its fibers from others without a name. */
  readonly isQuiet: boolean
  readonly since: number
  path: string | undefined
  /** Parts of its result that have been sent. */
  parts: number
  /** The last of them. */
  last: unknown
  /** What the report calls it, once it is known to have been cut, or about to be. */
  call: Call | undefined
}

/** `fiberIdTransientInterrupt` of `@effect/rpc`: its server has been released, or a client has left. */
const releasedById = -503

const unnamed = "(unnamed)"

export class UndrainedCalls extends Supervisor.AbstractSupervisor<void> {
  override readonly value = Effect.void
  readonly #connection: TrackedConnection
  readonly #running = new Map<AnyFiber, Running>()
  /** What works for a call: its fiber, and those that it has forked, as streams do. */
  readonly #calls = new WeakMap<AnyFiber, Running>()
  /** The peer was asked to leave: no answer can be sent any more. */
  #asked = false
  /** Nothing is read or written any more. */
  #ended = false

  constructor(connection: TrackedConnection) {
    super()
    this.#connection = connection
    upgradedOf(connection)?.watch({
      goingAway: () => {
        this.#asked = true
        this.#cut()
      },
      deadline: () => this.#await()
    })
  }

  override onStart<A, E, R>(
    _context: Context.Context<R>,
    _effect: Effect.Effect<A, E, R>,
    parent: Option.Option<AnyFiber>,
    fiber: Fiber.RuntimeFiber<A, E>
  ): void {
    if (Option.isSome(parent)) {
      const call = this.#calls.get(parent.value)
      if (call !== undefined) this.#calls.set(fiber, call)
      return
    }
    if (hasCalls(this.#connection)) return
    const refs = fiber.getFiberRefs()
    const flags = FiberRefs.getOrDefault(refs, FiberRef.currentRuntimeFlags)
    if (RuntimeFlags.interruption(flags)) return
    const call: Running = {
      isQuiet: Option.isNone(FiberRefs.getOrDefault(refs, FiberRef.unhandledErrorLogLevel)),
      since: this.#connection.registry.now(),
      path: undefined,
      parts: 0,
      last: undefined,
      call: undefined
    }
    this.#running.set(fiber, call)
    this.#calls.set(fiber, call)
  }

  override onEnd<A, E>(_exit: Exit.Exit<A, E>, fiber: Fiber.RuntimeFiber<A, E>): void {
    const running = this.#running.get(fiber)
    if (running === undefined) return
    this.#running.delete(fiber)
    const { call, last, path } = running
    const released = isReleased(fiber)
    const answered = last !== undefined && !(released && (this.#ended || saysInterrupted(last)))
    if (call !== undefined) {
      if (!this.#connection.exchanges.delete(call)) return
      call.answered = answered
      call.ended()
    } // one that has crossed our request to leave
    else if (this.#asked && path !== undefined) this.#note(running, path)
    else if (released && !this.#ended && !answered && !this.#connection.socket.readableEnded) {
      // the last part says that there will be no more
      if (running.parts > 0) running.parts--
      this.#note(running, path ?? unnamed)
    }
  }

  /** A fiber sends something. */
  sends(fiber: AnyFiber, chunk: unknown): void {
    const running = this.#calls.get(fiber)
    if (running === undefined) return
    running.path ??= nameOf(fiber)
    if (this.#ended || this.#asked) running.last = undefined
    else {
      running.parts++
      running.last = chunk
    }
  }

  /** The connection has ended. */
  end(): void {
    if (this.#asked) this.#cut()
    this.#ended = true
  }

  /** Whatever runs now has no answer to come. */
  #cut(): void {
    for (const [fiber, running] of this.#running) {
      const path = pathOf(fiber, running)
      if (running.call === undefined && path !== undefined) this.#note(running, path)
    }
  }

  /** The deadline has passed: what runs now is cut as any other request. */
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

/**
 * The same socket, which is not opened a second time: what is written once it has ended fails. As it is, it would wait
 * for ever, and with it the call that has just finished when its client left.
 *
 * Calls of RPC that are spoken over it are seen, so that the report can name those that are cut.
 */
export const once = (socket: Socket.Socket, connection: TrackedConnection | undefined): Socket.Socket => {
  let ended = false
  const calls = connection === undefined ? undefined : new UndrainedCalls(connection)
  const end = Effect.sync(() => {
    calls?.end()
    ended = true
  })
  return Socket.Socket.of({
    [Socket.TypeId]: Socket.TypeId,
    run: (handler, options) => Effect.ensuring(socket.run(handler, options), end),
    runRaw: (handler, options) => {
      const run = socket.runRaw(handler, options)
      return Effect.ensuring(calls === undefined ? run : Effect.supervised(run, calls), end)
    },
    writer: Effect.map(
      socket.writer,
      (write) => (chunk) =>
        Effect.withFiberRuntime((fiber) => {
          calls?.sends(fiber, chunk)
          return ended ? new Socket.SocketCloseError({ reason: "Close", code: 1000 }) : write(chunk)
        })
    )
  })
}

const callOf = ({ parts, since }: Running, path: string): Call => {
  const call = new Call(path, since, false)
  call.begun = parts > 0
  return call
}

/** Nothing where it may be something else that runs beside a handler. Calls that are not traced have no name. */
const pathOf = (fiber: AnyFiber, { isQuiet, path }: Running): string | undefined =>
  path ?? nameOf(fiber) ?? (isQuiet ? unnamed : undefined)

const spanPrefix = "RpcServer."

/** The name of the span that the server has opened for a call, without its prefix; its handler may have opened more. */
const nameOf = (fiber: AnyFiber): string | undefined => {
  let span: AnySpan | undefined = fiber.currentSpan
  while (span?._tag === "Span") {
    if (span.name.startsWith(spanPrefix)) return span.name.slice(spanPrefix.length)
    if (span.attributes.has("requestId")) return span.name
    span = Option.getOrUndefined(span.parent)
  }
  return undefined
}

const isReleased = (fiber: AnyFiber): boolean => {
  const cause = FiberRefs.getOrDefault(fiber.getFiberRefs(), FiberRef.interruptedCause)
  for (const id of HashSet.values(Cause.interruptors(cause))) {
    if (id._tag === "Runtime" && id.id === releasedById) return true
  }
  return false
}

/** Every serialization of `@effect/rpc` writes the tag of a cause as it is. */
const saysInterrupted = (chunk: unknown): boolean =>
  typeof chunk === "string"
    ? chunk.includes("Interrupt")
    : chunk instanceof Uint8Array && Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength).includes("Interrupt")
