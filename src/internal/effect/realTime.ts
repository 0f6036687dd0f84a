/**
 * Effect's clock and scheduler on the timers of Node. Effect's own look up the global ones at each use: where a test has
 * replaced those, a fiber that sleeps sleeps for ever. A clock that was put in their place (`TestClock`, or one of the
 * user's) stays in use. On Effect 3 both are in a runtime, and on Effect 4 in a context; a scheduler of the one is not one
 * of the other.
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as DefaultServices from "effect/DefaultServices"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as FiberId from "effect/FiberId"
import * as FiberRef from "effect/FiberRef"
import * as FiberRefs from "effect/FiberRefs"
import * as Runtime from "effect/Runtime"
import * as Scheduler from "effect/Scheduler"
import { clearTimeout, epochMillis, setTimeout } from "../node/timers.js"

const live = Context.get(DefaultServices.liveServices, Clock.Clock)

/** Node fires at once what is to fire later than that; to Effect it is never. */
export const maxMillis = 2 ** 31 - 1

const real: Clock.Clock = {
  [Clock.ClockTypeId]: Clock.ClockTypeId,
  unsafeCurrentTimeMillis: epochMillis,
  // it has kept the function of Node's, and must agree with what others read
  unsafeCurrentTimeNanos: () => live.unsafeCurrentTimeNanos(),
  currentTimeMillis: Effect.sync(epochMillis),
  currentTimeNanos: Effect.sync(() => live.unsafeCurrentTimeNanos()),
  sleep: (duration) =>
    Effect.async<void>((resume) => {
      const millis = Duration.toMillis(duration)
      if (millis > maxMillis) return
      const timer = setTimeout(() => resume(Effect.void), millis)
      return Effect.sync(() => clearTimeout(timer))
    })
}

/** Whether it is neither Effect's own nor ours. */
export const isReplaced = (clock: Clock.Clock): boolean => clock !== live && clock !== real

const onNode = (clock: Clock.Clock): Clock.Clock => clock === live ? real : clock

/** As Effect's: after so many rounds of microtasks it is the turn of the event loop. */
const maxRounds = 2048

const runnerOf = Scheduler.SchedulerRunner.cached((depth, drain) => {
  if (depth >= maxRounds) setTimeout(() => drain(0), 0)
  else void Promise.resolve().then(() => drain(depth + 1))
})

const scheduler: Scheduler.Scheduler = {
  shouldYield: (fiber) => Scheduler.defaultScheduler.shouldYield(fiber),
  scheduleTask: (task, priority, fiber) => runnerOf(fiber).scheduleTask(task, priority)
}

/** The scheduler of those fibers alone. */
export const withScheduler = (fiberRefs: FiberRefs.FiberRefs): FiberRefs.FiberRefs =>
  FiberRefs.getOrDefault(fiberRefs, FiberRef.currentScheduler) === Scheduler.defaultScheduler
    ? set(fiberRefs, FiberRef.currentScheduler, scheduler)
    : fiberRefs

const set = <A>(fiberRefs: FiberRefs.FiberRefs, fiberRef: FiberRef.FiberRef<A>, value: A): FiberRefs.FiberRefs =>
  FiberRefs.updateAs(fiberRefs, { fiberId: FiberId.none, fiberRef, value })

/** That runtime, on the timers of Node. */
export const onTimers = (around: Runtime.Runtime<never>): Runtime.Runtime<never> => {
  const services = FiberRefs.getOrDefault(around.fiberRefs, DefaultServices.currentServices)
  const clock = onNode(Context.get(services, Clock.Clock))
  return Runtime.make({
    context: around.context,
    runtimeFlags: around.runtimeFlags,
    fiberRefs: withScheduler(
      set(around.fiberRefs, DefaultServices.currentServices, Context.add(services, Clock.Clock, clock))
    )
  })
}

/** The current runtime, for what this library runs by itself. */
export const runtime: Effect.Effect<Runtime.Runtime<never>> = Effect.map(Effect.runtime<never>(), onTimers)

/** Suspends for so long, in a fiber of the user's, too. */
export const sleep = (duration: Duration.DurationInput): Effect.Effect<void> =>
  Effect.clockWith((clock) => onNode(clock).sleep(Duration.decode(duration)))
