import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Scheduler from "effect/Scheduler"
import { clearImmediate, clearTimeout, epochMillis, setImmediate, setTimeout } from "../node/timers.js"

const live = Context.get(Context.empty(), Clock.Clock)

export const maxMillis = 2 ** 31 - 1

const real: Clock.Clock = {
  currentTimeMillisUnsafe: epochMillis,
  currentTimeNanosUnsafe: () => live.currentTimeNanosUnsafe(),
  monotonicTimeNanosUnsafe: () => live.monotonicTimeNanosUnsafe(),
  currentTimeMillis: Effect.sync(epochMillis),
  currentTimeNanos: live.currentTimeNanos,
  monotonicTimeNanos: live.monotonicTimeNanos,
  sleep: (duration) =>
    Effect.callback<void>((resume) => {
      const millis = Duration.toMillis(duration)
      if (millis > maxMillis) return
      const timer = setTimeout(() => resume(Effect.void), millis)
      return Effect.sync(() => clearTimeout(timer))
    })
}

export const isReplaced = (clock: Clock.Clock): boolean => clock !== live && clock !== real

const onNode = (clock: Clock.Clock): Clock.Clock => clock === live ? real : clock

const scheduler = new Scheduler.MixedScheduler("async", (f) => {
  const immediate = setImmediate(f)
  return () => clearImmediate(immediate)
})

const standard = Context.get(Context.empty(), Scheduler.Scheduler)

export const onTimers = (around: Context.Context<never>): Context.Context<never> => {
  const withClock = Context.add(around, Clock.Clock, onNode(Context.get(around, Clock.Clock)))
  return Context.get(around, Scheduler.Scheduler) === standard
    ? Context.add(withClock, Scheduler.Scheduler, scheduler)
    : withClock
}

export const runtime: Effect.Effect<Context.Context<never>> = Effect.map(Effect.context<never>(), onTimers)

export const sleep = (duration: Duration.Input): Effect.Effect<void> =>
  Effect.clockWith((clock) => onNode(clock).sleep(Duration.fromInputUnsafe(duration)))
