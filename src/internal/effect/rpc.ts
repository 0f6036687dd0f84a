/**
 * What a server of RPC does for its calls. It runs each in a fiber that has no parent. On Effect 3 a `Supervisor` sees those
 * start, and the messages of the server say how a call has ended. Effect 4 has no supervisor, and its messages may be
 * binary: there the scheduler sees the fibers, and their exits say how a call has ended.
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

type AnyFiber = Fiber.RuntimeFiber<unknown, unknown>

/** What is done for a call, and by whom. */
export interface CallEvents {
  /** A fiber works for it from now on. `ended` is for its end. */
  readonly onFiber: (fiber: AnyFiber, ended: () => void) => void
  /** Its client has its result. */
  readonly onAnswered: () => void
  /** Nobody works for it any more. */
  readonly onEnd: () => void
  /** What is interrupted now is cut. */
  readonly isAborting: () => boolean
  /** Runs what is still to be sent. */
  readonly run: (effect: Effect.Effect<void>) => void
}

/** A call, from its request to the end of what works for it. */
export class CallRun extends Supervisor.AbstractSupervisor<void> {
  override readonly value = Effect.void
  readonly #events: CallEvents
  #hasStarted = false
  #isOver = false

  /** `_request` is the message that asks for it. */
  constructor(_request: unknown, events: CallEvents) {
    super()
    this.#events = events
  }

  /** Runs what the server does with its request. */
  start(handle: Effect.Effect<void>): Effect.Effect<void> {
    return Effect.supervised(handle, this).pipe(
      // what could not be decoded, or has no handler, has been answered without a fiber
      Effect.ensuring(Effect.sync(() => {
        this.#isOver = true
        if (!this.#hasStarted) this.#events.onEnd()
      }))
    )
  }

  /** Sends its result. At the deadline, its client learns from the end of the connection that it has none. */
  answer(exit: EncodedExit, send: Effect.Effect<void>): Effect.Effect<void> {
    const { isAborting, onAnswered } = this.#events
    return isAborting() && isInterrupted(exit) ? Effect.void : Effect.zipRight(send, Effect.sync(onAnswered))
  }

  /** The first fiber that is started while its request is handled, and is nobody's child. */
  override onStart<A, E, R>(
    _context: Context.Context<R>,
    _effect: Effect.Effect<A, E, R>,
    parent: Option.Option<AnyFiber>,
    fiber: Fiber.RuntimeFiber<A, E>
  ): void {
    if (this.#hasStarted || this.#isOver || Option.isSome(parent)) return
    this.#hasStarted = true
    this.#events.onFiber(fiber, this.#events.onEnd)
  }
}

/** Those of `@effect/rpc`, which is an optional peer. */
type EncodedExit = { readonly _tag: "Success" } | { readonly _tag: "Failure"; readonly cause: EncodedCause }

type EncodedCause =
  | { readonly _tag: "Empty" | "Fail" | "Die" | "Interrupt" }
  | { readonly _tag: "Parallel" | "Sequential"; readonly left: EncodedCause; readonly right: EncodedCause }

const isInterrupted = (exit: EncodedExit): boolean => exit._tag === "Failure" && hasInterrupt(exit.cause)

const hasInterrupt = (cause: EncodedCause): boolean =>
  cause._tag === "Interrupt"
  || ((cause._tag === "Parallel" || cause._tag === "Sequential") &&
    (hasInterrupt(cause.left) || hasInterrupt(cause.right)))

/**
 * The next client that has gone, while the server that listens for it has been interrupted: on Effect 3, an interruption
 * reaches what a fiber has forked before it has ended itself. That of Effect 4 goes on listening.
 */
export const clientGone = <E>(
  { disconnects }: { readonly disconnects: { readonly take: Effect.Effect<number, E> } }
): Effect.Effect<number, E> => disconnects.take

/** Sees what is done over a socket that RPC may be spoken over. `Call` is what it knows of a call. */
export interface SocketWatch<Call> {
  /** A fiber starts that may run a call. `isCall` where it cannot be anything else. */
  readonly onStart: (fiber: AnyFiber, isCall: boolean) => Call | undefined
  /** It has ended. `wasReleased` where its server has been released, or its client has left. */
  readonly onEnd: (fiber: AnyFiber, call: Call, wasReleased: boolean) => void
  /** It sends something, or what works for it does. */
  readonly onSend: (fiber: AnyFiber, call: Call, chunk: unknown) => void
  /** Nothing is read or written any more. */
  readonly onClose: () => void
  /** Nothing of what comes is for anybody any more: what it would start could not be answered. */
  readonly isRefusing: () => boolean
  /** Its peer is gone, whether anybody has read that or not. */
  readonly hasClosed: () => boolean
}

/**
 * The same socket, which is not opened a second time: what is written once it has ended fails. As it is, it would wait
 * for ever, and with it the call that has just finished when its client left; or be dropped for ever, where nobody reads.
 */
export const once = <Call>(socket: Socket.Socket, watch: SocketWatch<Call> | undefined): Socket.Socket => {
  let ended = false
  const calls = watch === undefined ? undefined : new SocketCalls(watch)
  const end = Effect.sync(() => {
    watch?.onClose()
    ended = true
  })
  return Socket.Socket.of({
    [Socket.TypeId]: Socket.TypeId,
    run: (handler, options) => Effect.ensuring(socket.run(handler, options), end),
    runRaw: (handler, options) => {
      const run = socket.runRaw(
        watch === undefined ? handler : (data) => watch.isRefusing() ? undefined : handler(data),
        options
      )
      return Effect.ensuring(calls === undefined ? run : Effect.supervised(run, calls), end)
    },
    writer: Effect.map(
      socket.writer,
      (write) => (chunk) =>
        Effect.withFiberRuntime((fiber) => {
          calls?.sends(fiber, chunk)
          return ended || watch?.hasClosed() === true
            ? new Socket.SocketCloseError({ reason: "Close", code: 1000 })
            : write(chunk)
        })
    )
  })
}

/** Supervises what the handler of a connection runs, so that no message is decoded for it. */
class SocketCalls<Call> extends Supervisor.AbstractSupervisor<void> {
  override readonly value = Effect.void
  readonly #watch: SocketWatch<Call>
  readonly #running = new Map<AnyFiber, Call>()
  /** What works for a call: its fiber, and those that it has forked, as streams do. */
  readonly #calls = new WeakMap<AnyFiber, Call>()

  constructor(watch: SocketWatch<Call>) {
    super()
    this.#watch = watch
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
    const refs = fiber.getFiberRefs()
    // calls begin uninterruptible
    if (RuntimeFlags.interruption(FiberRefs.getOrDefault(refs, FiberRef.currentRuntimeFlags))) return
    // `@effect/rpc` keeps the failures of what it runs to itself
    const isCall = Option.isNone(FiberRefs.getOrDefault(refs, FiberRef.unhandledErrorLogLevel))
    const call = this.#watch.onStart(fiber, isCall)
    if (call === undefined) return
    this.#running.set(fiber, call)
    this.#calls.set(fiber, call)
  }

  override onEnd<A, E>(_exit: Exit.Exit<A, E>, fiber: Fiber.RuntimeFiber<A, E>): void {
    const call = this.#running.get(fiber)
    if (call === undefined) return
    this.#running.delete(fiber)
    this.#watch.onEnd(fiber, call, isReleased(fiber))
  }

  sends(fiber: AnyFiber, chunk: unknown): void {
    const call = this.#calls.get(fiber)
    if (call !== undefined) this.#watch.onSend(fiber, call, chunk)
  }
}

/** `fiberIdTransientInterrupt` of `@effect/rpc`: its server has been released, or a client has left. */
const releasedById = -503

const isReleased = (fiber: AnyFiber): boolean => {
  const cause = FiberRefs.getOrDefault(fiber.getFiberRefs(), FiberRef.interruptedCause)
  for (const id of HashSet.values(Cause.interruptors(cause))) {
    if (id._tag === "Runtime" && id.id === releasedById) return true
  }
  return false
}

/** Every serialization of `@effect/rpc` writes the tag of a cause as it is. */
export const saysInterrupted = (chunk: unknown): boolean =>
  typeof chunk === "string"
    ? chunk.includes("Interrupt")
    : chunk instanceof Uint8Array && Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength).includes("Interrupt")

const spanPrefix = "RpcServer."

/** The name of the span that the server has opened for a call, without its prefix; its handler may have opened more. */
export const nameOf = (fiber: AnyFiber): string | undefined => {
  let span: AnySpan | undefined = fiber.currentSpan
  while (span?._tag === "Span") {
    if (span.name.startsWith(spanPrefix)) return span.name.slice(spanPrefix.length)
    if (span.attributes.has("requestId")) return span.name
    span = Option.getOrUndefined(span.parent)
  }
  return undefined
}
