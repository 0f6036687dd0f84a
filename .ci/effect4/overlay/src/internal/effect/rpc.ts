import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as Scheduler from "effect/Scheduler"
import * as Scope from "effect/Scope"
import * as Socket from "effect/socket/Socket"
import type { AnySpan } from "effect/Tracer"
import { closeError, hasRpc } from "./sockets.js"

type AnyFiber = Fiber.Fiber<unknown, unknown>

/**
 * Sees the fibers that a fiber of a server starts without a parent: they have its context, and with it this scheduler. The
 * first thing that a fiber does is to ask its scheduler whether it shall yield; from then on it has the one before.
 */
class Starts implements Scheduler.Scheduler {
  readonly executionMode: "sync" | "async"
  readonly #own: AnyFiber
  readonly #before: Scheduler.Scheduler
  readonly #neverYields: boolean
  readonly #onStart: (fiber: AnyFiber, isCall: boolean) => void

  constructor(own: AnyFiber, onStart: (fiber: AnyFiber, isCall: boolean) => void) {
    this.#own = own
    this.#before = own.getRef(Scheduler.Scheduler)
    this.#neverYields = own.getRef(Scheduler.PreventSchedulerYield)
    this.executionMode = this.#before.executionMode
    this.#onStart = onStart
  }

  /** The context in which they are seen. */
  in<R>(context: Context.Context<R>): Context.Context<R> {
    return Context.add(Context.add(context, Scheduler.Scheduler, this), Scheduler.PreventSchedulerYield, false)
  }

  shouldYield(fiber: AnyFiber): boolean {
    if (fiber !== this.#own) {
      fiber.setContext(
        Context.add(
          Context.add(fiber.context, Scheduler.Scheduler, this.#before),
          Scheduler.PreventSchedulerYield,
          this.#neverYields
        )
      )
      // a call has a scope of its own, in which nothing is yet; what is forked to decode a message has none
      this.#onStart(fiber, scopeOf(fiber)?.state._tag === "Empty" && scopeOf(fiber) !== scopeOf(this.#own))
    }
    return !this.#neverYields && this.#before.shouldYield(fiber)
  }

  makeDispatcher(): Scheduler.SchedulerDispatcher {
    return this.#before.makeDispatcher()
  }
}

const scopeOf = ({ context }: AnyFiber): Scope.Scope | undefined => Context.getOrUndefined(context, Scope.Scope)

/** A handler has returned what its reply will come from; another fiber sends it. */
const repliesLater = (exit: Exit.Exit<unknown, unknown> | undefined): boolean =>
  exit !== undefined && Exit.isSuccess(exit) && Deferred.isDeferred(exit.value)

const wasInterrupted = (exit: Exit.Exit<unknown, unknown> | undefined): boolean =>
  exit !== undefined && Exit.hasInterrupts(exit)

export interface CallEvents {
  readonly onFiber: (fiber: AnyFiber, ended: () => void) => void
  readonly onAnswered: () => void
  readonly onEnd: () => void
  readonly isAborting: () => boolean
  readonly run: (effect: Effect.Effect<void>) => void
}

export class CallRun {
  readonly #events: CallEvents
  /** Its client waits for no result: it has been told that the call is executed, or wants to hear nothing. */
  readonly #isSilent: boolean
  /** The next fiber is that of the call. */
  #isAwaited = true
  #hasStarted = false
  /** A result of the deadline. Whether it says that there is none shows when its fiber has ended. */
  #held: Effect.Effect<void> | undefined

  constructor({ discard, isNotification }: { discard?: true; isNotification?: true }, events: CallEvents) {
    this.#events = events
    this.#isSilent = discard === true || isNotification === true
  }

  start(handle: Effect.Effect<void>): Effect.Effect<void> {
    return Effect.withFiber((own) => {
      const starts = new Starts(own, (fiber, isCall) => {
        if (!this.#isAwaited || !(isCall || this.#hasStarted)) return
        this.#isAwaited = false
        this.#hasStarted = true
        this.#events.onFiber(fiber, () => this.#ended(fiber.pollUnsafe()))
      })
      return Effect.updateContext(handle, (context: Context.Context<never>) => starts.in(context)).pipe(
        Effect.ensuring(Effect.sync(() => {
          if (this.#hasStarted) return
          this.#isAwaited = false
          this.#events.onEnd()
        }))
      )
    })
  }

  answer(_exit: unknown, send: Effect.Effect<void>): Effect.Effect<void> {
    if (this.#isSilent) return send
    if (!this.#events.isAborting()) return this.#sending(send)
    return Effect.sync(() => {
      this.#held = send
    })
  }

  #sending(send: Effect.Effect<void>): Effect.Effect<void> {
    return Effect.andThen(send, Effect.sync(this.#events.onAnswered))
  }

  #ended(exit: Exit.Exit<unknown, unknown> | undefined): void {
    const { onAnswered, onEnd, run } = this.#events
    this.#isAwaited = repliesLater(exit)
    if (this.#isAwaited) return
    if (wasInterrupted(exit)) return onEnd()
    if (this.#held !== undefined) return run(Effect.ensuring(this.#sending(this.#held), Effect.sync(onEnd)))
    if (this.#isSilent) onAnswered()
    onEnd()
  }
}

export const clientGone = (_protocol: object): Effect.Effect<number> => Effect.never

export interface SocketWatch<Call> {
  readonly onStart: (fiber: AnyFiber, isCall: boolean) => Call | undefined
  readonly onEnd: (fiber: AnyFiber, call: Call, wasReleased: boolean) => void
  readonly onSend: (fiber: AnyFiber, call: Call, chunk: unknown) => void
  readonly onClose: () => void
  readonly isRefusing: () => boolean
  readonly hasClosed: () => boolean
}

export const once = <Call>(socket: Socket.Socket, watch: SocketWatch<Call> | undefined): Socket.Socket => {
  let ended = false
  const calls = watch === undefined ? undefined : new SocketCalls(watch)
  const end = Effect.sync(() => {
    if (!ended) watch?.onClose()
    ended = true
  })
  const sending = <A>(chunks: A, write: (chunks: A) => Effect.Effect<void, Socket.SocketError>) =>
    Effect.withFiber<void, Socket.SocketError>((fiber) => {
      calls?.sends(fiber, chunks)
      return ended || watch?.hasClosed() === true ? closeError : write(chunks)
    })
  return Socket.make({
    reader: Effect.gen(function*() {
      calls?.follow(yield* Effect.withFiber(Effect.succeed))
      yield* Effect.addFinalizer(() => end)
      const reader = yield* socket.reader
      const pull = Effect.onError(reader.pull, () => end)
      const next: typeof pull = Effect.flatMap(
        pull,
        (frames) => watch?.isRefusing() === true ? next : Effect.succeed(frames)
      )
      return { ...reader, pull: next }
    }),
    writer: Effect.map(socket.writer, ({ write, writeAll }) => ({
      write: (chunk) => sending(chunk, write),
      writeAll: (chunks) => sending(chunks, writeAll)
    }))
  })
}

/** Sees what the handler of a connection starts, so that no message is decoded for it. */
class SocketCalls<Call> {
  readonly #watch: SocketWatch<Call>
  /** The call that a fiber works for, and those that it forks. */
  readonly #key = Context.Service<Call>("quiesce/internal/Call")
  /** A call whose reply another fiber sends: the next one that starts. */
  #later: Call | undefined

  constructor(watch: SocketWatch<Call>) {
    this.#watch = watch
  }

  /** From now on. */
  follow(own: AnyFiber): void {
    // what runs without a parent on a connection that speaks RPC, in a scope of its own, is a call
    const speaksRpc = hasRpc(own.context)
    const starts = new Starts(own, (fiber, isCall) => {
      const later = this.#later
      this.#later = undefined
      const call = later ?? (isCall ? this.#watch.onStart(fiber, speaksRpc) : undefined)
      if (call === undefined) return
      fiber.setContext(Context.add(fiber.context, this.#key, call))
      fiber.addObserver((exit) => {
        if (repliesLater(exit)) this.#later = call
        else this.#watch.onEnd(fiber, call, isReleased(fiber, exit))
      })
    })
    own.setContext(starts.in(own.context))
  }

  sends(fiber: AnyFiber, chunk: unknown): void {
    const call = Context.getOrUndefined(fiber.context, this.#key)
    if (call !== undefined) this.#watch.onSend(fiber, call, chunk)
  }
}

/** `RpcSchema.ClientAbort`, as its key. */
const clientAbort = "effect/rpc/RpcSchema/ClientAbort"

/** Interrupted, by somebody else than its client or itself: its server has been released, or its client has left. */
const isReleased = (fiber: AnyFiber, exit: Exit.Exit<unknown, unknown>): boolean =>
  Exit.isFailure(exit) &&
  exit.cause.reasons.some((reason) =>
    Cause.isInterruptReason(reason) && reason.fiberId !== fiber.id &&
    !reason.annotations.has(clientAbort)
  )

/** What was sent last by a call that was released was no answer: else it would have ended with it. */
export const saysInterrupted = (_chunk: unknown): boolean => true

export const nameOf = (fiber: AnyFiber): string | undefined => {
  let span: AnySpan | undefined = fiber.cache.span
  while (span?._tag === "Span") {
    if (span.attributes.get("rpc.system.name") === "effect_rpc") return String(span.attributes.get("rpc.method"))
    span = span.parent._tag === "Some" ? span.parent.value : undefined
  }
  return undefined
}
