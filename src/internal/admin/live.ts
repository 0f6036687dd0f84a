/**
 * The event stream of the page: what has changed of it, as it changes, until its listener closes.
 */
import * as Effect from "effect/Effect"
import type { PageEvents } from "../model/page.js"
import { clearTimeout, setTimeout } from "../node/timers.js"
import type { Administered } from "./administered.js"
import { overview } from "./overview.js"
import { type PageState, partIds, stateOf } from "./parts.js"

/** How often the page is looked at, in milliseconds. */
const servingMillis = 1000
const stoppingMillis = 500

/** How many pages may be watched at once: each of them looks at all connections. */
const viewersLimit = 32

export interface Viewers {
  count: number
}

/** What the page gets; `undefined`: too many watch. `ended` suspends until the listener answers no more. */
export const events = (
  of: Administered,
  viewers: Viewers,
  show: (path: string) => string,
  ended: Effect.Effect<void>
): Effect.Effect<PageEvents | undefined> =>
  Effect.sync(() => {
    if (viewers.count >= viewersLimit) return undefined
    let last: PageState | undefined
    let isOver = false
    let isCounted = false
    const over = Effect.zipRight(
      ended,
      Effect.sync(() => {
        isOver = true
      })
    )
    const next = Effect.gen(function*() {
      if (last !== undefined) yield* untilNext(of, last.phase === "Serving", over)
      // others have begun since it was let in
      else if (viewers.count >= viewersLimit) return `${first}\n`
      else {
        viewers.count++
        isCounted = true
      }
      const state = stateOf(yield* overview(of, show), isOver)
      const text = written(last, state)
      last = state
      return text
    })
    const release = Effect.sync(() => {
      if (isCounted) viewers.count--
    })
    return { next, isOver: () => isOver || !isCounted, release }
  })

/** In a handler that nothing interrupts, too: the racers must be. */
const untilNext = (
  { shuttingDown }: Administered,
  isServing: boolean,
  over: Effect.Effect<void>
): Effect.Effect<void> =>
  Effect.raceFirst(
    Effect.interruptible(pause(isServing ? servingMillis : stoppingMillis)),
    Effect.raceFirst(
      Effect.interruptible(over),
      Effect.interruptible(isServing ? shuttingDown : Effect.never)
    )
  )

/** Whoever looks on keeps no process alive. */
const pause = (millis: number): Effect.Effect<void> =>
  Effect.async<void>((resume) => {
    const timer = setTimeout(() => resume(Effect.void), millis).unref()
    return Effect.sync(() => clearTimeout(timer))
  })

/** A client that has lost the stream asks again after a second. */
const first = "retry: 1000\n"

const written = (last: PageState | undefined, state: PageState): string => {
  const changed = partIds.filter((id) => last?.parts[id] !== state.parts[id])
  if (state.phase !== "Gone" && changed.length === 0) return "event: alive\ndata:\n\n"
  const parts = Object.fromEntries(changed.map((id) => [id, state.parts[id]]))
  const event = state.phase === "Gone" ? "event: end\n" : ""
  return `${last === undefined ? first : ""}${event}data: ${JSON.stringify({ ...state, parts })}\n\n`
}
