/**
 * The checks of a server, those that are built in among them, and the answers to its probes.
 */
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import * as Runtime from "effect/Runtime"
import type * as Scope from "effect/Scope"
import { monotonicMillis } from "../effect/clock.js"
import { unsafeInterrupt, yieldNow } from "../effect/fibers.js"
import * as RealTime from "../effect/realTime.js"
import { InvalidPolicy } from "../model/errors.js"
import type { Answer, CheckOptions, CheckResult, HealthService } from "../model/health.js"
import type { PlainService } from "../model/server.js"
import { checkNames } from "../policy/optionNames.js"
import { duration } from "../policy/policy.js"
import { type Check, Checks } from "./checks.js"

const checkOptionNames = Object.keys(
  { cache: true, on: true, timeout: true } satisfies { readonly [K in keyof CheckOptions]-?: true }
)

const passed = (name: string): CheckResult => ({ name, outcome: "Passed" })

export const make = (server: PlainService): Effect.Effect<HealthService, never, Scope.Scope> =>
  Effect.gen(function*() {
    const clock = yield* Effect.clock
    const runtime = yield* RealTime.runtime
    const run = (effect: Effect.Effect<unknown>) => Runtime.runFork(runtime)(Effect.interruptible(effect))
    const checks = new Checks(monotonicMillis(clock), run)
    const shutdown = yield* shutdownCheck(server, run)
    return { check: registerIn(checks), probe: probeOf(checks, shutdown) }
  })

/** Whether the check that is built in says that the server shuts down: other checks may fail as well, or be left out. */
export const isDraining = (checks: ReadonlyArray<CheckResult>): boolean =>
  checks.some(({ name, outcome }) => name === "shutdown" && outcome === "Failed")

/** The check that fails from the beginning of a shutdown, and from the end of the scope. */
const shutdownCheck = (
  server: PlainService,
  run: (effect: Effect.Effect<unknown>) => Fiber.RuntimeFiber<unknown, unknown>
): Effect.Effect<Effect.Effect<CheckResult>, never, Scope.Scope> =>
  Effect.gen(function*() {
    let stopping = false
    const stop = Effect.sync(() => {
      stopping = true
    })
    const watcher = run(Effect.zipRight(server.shuttingDown, stop))
    // an admin listener may answer for longer than this scope lives
    yield* Effect.addFinalizer(() => Effect.zipRight(stop, Effect.sync(() => unsafeInterrupt(watcher))))
    const isStopping = Effect.sync(() => stopping)
    // a shutdown that has just begun is known to its watcher one yield later, and it is not ready from its first moment
    return Effect.map(Effect.zipRight(yieldNow, isStopping), shutdownResult)
  })

const shutdownResult = (isStopping: boolean): CheckResult =>
  isStopping
    ? { name: "shutdown", outcome: "Failed", reason: "the server is shutting down" }
    : passed("shutdown")

/** The probes of a program that has no checks of its own. */
export const probesOf = (isStopping: Effect.Effect<boolean>): Pick<HealthService, "probe"> => ({
  probe: probeOf(new Checks(() => 0, () => {}), Effect.map(isStopping, shutdownResult))
})

const registerIn = (checks: Checks): HealthService["check"] =>
  Effect.fnUntraced(function*<A, E, R>(
    name: string,
    effect: Effect.Effect<A, E, R>,
    options: CheckOptions = {}
  ) {
    yield* checkNames("options", options, checkOptionNames, ` of the health check "${name}"`)
    const { cache, on, timeout } = options
    const millis = {
      timeout: yield* duration(`timeout of the health check "${name}"`, timeout ?? "800 millis"),
      cache: yield* duration(`cache of the health check "${name}"`, cache ?? "1 second")
    }
    const around = yield* Effect.runtime<Exclude<R, Scope.Scope>>()
    const check: Check = {
      name,
      ...millis,
      on: new Set(on ?? ["ready"]),
      // one that asks for itself finds itself running, and times out
      fork: () => Runtime.runFork(around)(Effect.zipRight(yieldNow, Effect.interruptible(Effect.scoped(effect)))),
      run: undefined,
      last: undefined,
      passedOnce: false
    }
    yield* Effect.acquireRelease(
      Effect.suspend(() => {
        if (name === "" || name === "ping" || name === "shutdown" || checks.has(name)) {
          const expected = `a name that no other check has, and neither "ping" nor "shutdown"`
          return new InvalidPolicy({ field: "the name of a health check", value: name, expected })
        }
        checks.add(check)
        return Effect.void
      }),
      () => checks.remove(check)
    )
  })

const probeOf =
  (checks: Checks, shutdown: Effect.Effect<CheckResult>): HealthService["probe"] =>
  (probe, { exclude = [], only } = {}) =>
    Effect.suspend(() => {
      const excluded = new Set(exclude)
      const asked = (
        name: string,
        ask: () => Effect.Effect<CheckResult>
      ): ReadonlyArray<Effect.Effect<CheckResult>> => {
        if (only?.includes(name) === false) return []
        return [excluded.delete(name) ? Effect.succeed<CheckResult>({ name, outcome: "Excluded" }) : ask()]
      }
      // asking starts it: all run by the time that the first is waited for
      const answers = [
        ...asked("ping", () => Effect.succeed(passed("ping"))),
        ...checks.of(probe).flatMap((check) =>
          asked(check.name, () =>
            Effect.map(checks.ask(check, probe), (reason): CheckResult =>
              reason === undefined ? passed(check.name) : { name: check.name, outcome: "Failed", reason }))
        ),
        ...(probe === "ready"
          ? asked("shutdown", () =>
            shutdown)
          : [])
      ]
      return Effect.map(Effect.all(answers), (results): Answer => ({
        probe,
        passed: results.every(({ outcome }) =>
          outcome !== "Failed"
        ),
        checks: results,
        unknown: Array.from(excluded).sort()
      }))
    })
