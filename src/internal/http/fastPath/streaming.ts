/**
 * Sends a stream as it is emitted. Effect's runners of streams fork a fiber for each, and take it through four channels
 * more; where nobody could tell, this pulls it from the fiber that answers the request.
 */
import * as Channel from "effect/Channel"
import type * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as Supervisor from "effect/Supervisor"
import type * as Http from "node:http"

/** Ends when all has been given to Node, and the stream has been closed. */
export const send = <E>(stream: Stream.Stream<Uint8Array, E>, node: Http.ServerResponse): Effect.Effect<void> =>
  Effect.withFiberRuntime((fiber) => {
    const chunks = Stream.orDie(stream)
    const put = writer(node)
    return hasNoChildren(fiber) && fiber.currentSupervisor === Supervisor.none
      ? pulled(chunks, put, fiber)
      : Effect.interruptible(Stream.runForEachChunk(chunks, (chunk) => put(chunk) ?? Effect.void))
  })

/** Writes a chunk; returns what is to be waited for before the next, if anything is. */
type Put = (chunk: Chunk.Chunk<Uint8Array>) => Effect.Effect<void> | undefined

const writer = (node: Http.ServerResponse): Put => {
  let drained: Effect.Latch | undefined
  return (chunk) => {
    let full = false
    for (const bytes of chunk) {
      const more = node.write(bytes)
      // at once, so that no "drain" is missed
      if (!more && !full) (drained ??= draining(node)).unsafeClose()
      full = !more
    }
    return full ? drained?.await : undefined
  }
}

const draining = (node: Http.ServerResponse): Effect.Latch => {
  const latch = Effect.unsafeMakeLatch()
  node.on("drain", () => latch.unsafeOpen())
  return latch
}

const pulled = (chunks: Stream.Stream<Uint8Array>, put: Put, fiber: AnyFiber): Effect.Effect<void> =>
  Effect.uninterruptible(
    Effect.flatMap(
      Scope.make(),
      (scope) =>
        Effect.flatMap(Channel.toPullIn(Stream.toChannel(chunks), scope), (pull) => {
          const all: Effect.Effect<void> = Effect.flatMap(pull, (next) => {
            if (Either.isLeft(next)) return Effect.void
            const waiting = put(next.right)
            return waiting === undefined ? all : Effect.zipRight(waiting, all)
          })
          const close = (exit: Exit.Exit<void>) =>
            Effect.ensuring(Scope.close(scope, exit), Effect.suspend(() => alone(fiber)))
          return Effect.matchCauseEffect(Effect.interruptible(all), {
            onFailure: (cause) => Effect.ensuring(Effect.failCause(cause), close(Exit.failCause(cause))),
            onSuccess: () => leavesNothing() ? alone(fiber) : close(Exit.void)
          })
        })
    )
  )

type AnyFiber = Fiber.RuntimeFiber<unknown, unknown>

/** What the stream has forked ends with it, as it does where the stream has a fiber of its own. */
const alone = (fiber: AnyFiber): Effect.Effect<void> =>
  hasNoChildren(fiber) ? Effect.void : Effect.flatMap(fiber.children, Fiber.interruptAll)

/** It has not forked anything. */
export const hasNoChildren = (fiber: AnyFiber): boolean => "_children" in fiber && fiber._children === null

/**
 * Whether a stream that dies of its errors has run its finalizers when it says that it has ended, so that the scope in
 * which it was pulled has nothing to close.
 */
const leavesNothing = (): boolean => known ??= finalizersRun(Effect.runSync(Scope.make()))
let known: boolean | undefined = undefined

const finalizersRun = (neverClosed: Scope.Scope): boolean => {
  let closed = 0
  const close = Effect.sync(() => closed++)
  const chunks = Stream.acquireRelease(Effect.void, () => close).pipe(
    Stream.flatMap(() => Stream.ensuring(Stream.make(1, 2), close)),
    Stream.ensuring(close),
    Stream.orDie
  )
  Effect.runSync(Effect.flatMap(Channel.toPullIn(Stream.toChannel(chunks), neverClosed), (pull) => {
    const all: Effect.Effect<void> = Effect.flatMap(pull, (next) => Either.isLeft(next) ? Effect.void : all)
    return all
  }))
  return closed === 3
}
