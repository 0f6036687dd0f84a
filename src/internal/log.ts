/**
 * What a server says about its shutdown, through Effect's own logger.
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as LogLevel from "effect/LogLevel"
import * as Option from "effect/Option"
import * as Schedule from "effect/Schedule"
import * as SubscriptionRef from "effect/SubscriptionRef"
import type { HookReport, Phase, Report } from "../Shutdown.js"
import type { Stopping } from "./drain.js"
import type { Registry } from "./registry.js"

/** A line a second at first, then fewer. */
const rhythm = Schedule.exponential("1 second", 1.5).pipe(Schedule.union(Schedule.spaced("10 seconds")))

/** How many requests a line names. */
const named = 5

/** Says that a shutdown begins, what it waits for while it lasts, and how it ended. */
export const narrated =
  (server: Stopping, phase: SubscriptionRef.SubscriptionRef<Phase>, quiet: boolean) =>
  (drain: Effect.Effect<Report>): Effect.Effect<Report> =>
    Effect.gen(function*() {
      // a server that never could bind has more important things to say
      const unused = server.listeners.size === 0 && server.registry.accepted === 0
      const usual = quiet || unused ? LogLevel.Debug : LogLevel.Info
      const startedAt = server.registry.now()
      yield* say(usual, beginning(server))
      const progress = yield* Effect.fork(
        Effect.repeat(
          Effect.flatMap(SubscriptionRef.get(phase), (phase) => say(usual, waiting(server, phase, startedAt))),
          rhythm
        ).pipe(Effect.delay("1 second"))
      )
      const report = yield* drain
      yield* Fiber.interrupt(progress)
      yield* say(levelOf(report, usual), ending(report))
      return report
    })

export const hookFailed = (hook: HookReport): Effect.Effect<void> =>
  Effect.logWarning(
    `Shutdown hook "${hook.name}" ${hook.outcome} after ${print(hook.duration)}`,
    ...Option.toArray(hook.cause)
  )

const levelOf = (report: Report, usual: LogLevel.LogLevel): LogLevel.LogLevel =>
  report.outcome === "DeadlineExceeded"
    ? LogLevel.Error
    : report.handlers.abandoned > 0
    ? LogLevel.Warning
    : usual

/** A logger that dies must not take the shutdown with it; there is nobody left to tell. */
const say = (level: LogLevel.LogLevel, message: string): Effect.Effect<void> =>
  Effect.catchAllCause(Effect.logWithLevel(level, message), () => Effect.void)

const count = (n: number, one: string): string => `${n} ${one}${n === 1 ? "" : "s"}`

const beginning = ({ policy, registry }: Stopping): string => {
  const duck = policy.lameDuck > 0 ? `serving on for ${millis(policy.lameDuck)}, then ` : ""
  const limit = Number.isFinite(policy.timeout)
    ? `draining for up to ${millis(policy.timeout)}`
    : "draining, no deadline"
  return `Shutting down: ${duck}${limit}; ${count(registry.open.size, "connection")} open${byState(registry)}`
}

const byState = (registry: Registry): string => {
  const states = new Map<string, number>()
  for (const { state } of registry.open) states.set(state, (states.get(state) ?? 0) + 1)
  return states.size === 0 ? "" : ` (${Array.from(states, ([state, n]) => `${n} ${state}`).join(", ")})`
}

const waiting = ({ handlers, hooks, policy, registry }: Stopping, phase: Phase, startedAt: number): string => {
  const now = registry.now()
  const requests = Array.from(registry.open).flatMap((open) =>
    open.owed.map(({ method, path, since }) => `${method} ${path} (${millis(now - since)})`)
  )
  const left = startedAt + policy.lameDuck + (phase === "LameDuck" ? 0 : policy.timeout) - now
  const parts = [`${count(registry.open.size, "connection")}${byState(registry)}`]
  if (requests.length > 0) parts.push(requests.slice(0, named).join(", "))
  if (requests.length > named) parts.push(`and ${requests.length - named} more`)
  if (handlers.fibers.size > 0) parts.push(count(handlers.fibers.size, "handler"))
  if (handlers.errands > 0) parts.push(`${count(handlers.errands, "finalizer")} of connections' scopes`)
  if (phase === "Draining" && !hooks.idle) parts.push(`hooks: ${hooks.running.join(", ")}`)
  const until = !Number.isFinite(left) ? "" : left < 0 ? "; past the deadline" : `; ${millis(left)} left`
  return `${phase}: waiting for ${parts.join("; ")}${until}`
}

const ending = (report: Report): string => {
  const { connections, cut, forced, handlers } = report
  const parts = [`${count(report.served, "request")} answered since`]
  if (connections.dismissed > 0) parts.push(`${count(connections.dismissed, "idle connection")} closed`)
  if (forced.length > 0) parts.push(`${count(forced.length, "connection")} forced that nothing was owed to`)
  if (handlers.abandoned > 0) parts.push(`${count(handlers.abandoned, "handler")} left behind, deaf to interruption`)
  if (cut.length > 0) parts.push(`${count(cut.length, "request")} cut`)
  for (const { age, answer, method, path, remoteAddress } of cut.slice(0, named)) {
    parts.push(`cut ${method} ${path} from ${remoteAddress} after ${print(age)} (${answer})`)
  }
  if (cut.length > named) parts.push(`and ${cut.length - named} more`)
  return `Shut down in ${print(report.duration)} (${report.outcome}): ${parts.join("; ")}`
}

const print = (duration: Duration.Duration): string => millis(Duration.toMillis(duration))

/** `Duration.format` says "0" of nothing, and goes down to the nanosecond. */
const millis = (n: number): string => Math.round(n) === 0 ? "0ms" : Duration.format(Duration.millis(Math.round(n)))
