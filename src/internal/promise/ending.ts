/**
 * The end of a server of a program without Effect: the drain, the `close` of its frameworks, and its `finally`.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import * as Line from "../log/line.js"
import type { Framework } from "../model/promise.js"
import { isLost, type Report } from "../model/report.js"
import { failuresOf, type LastTask } from "./lastTasks.js"
import { reportOf, type RunningServer } from "./plainServer.js"
import type { Settings } from "./promiseOptions.js"
import type { Reasons } from "./reasons.js"

/** Resolves when all is done; rejects with the first failure of what comes after the drain. */
export const ending = async (running: RunningServer, settings: Settings, reasons: Reasons): Promise<Report> => {
  const { run, scope, server, warn } = running
  const { finally: afterwards } = settings
  const report = await run(reportOf(server))
  // it fails with what was cut, which the report says
  await run(Effect.exit(Scope.close(scope, Exit.void)))
  const failures = await failuresOf(settings.targets.frameworks.map(closing), settings.finallyTimeout, warn)
  failures.push(...await finallyFailures(running, settings, () => afterwards?.(report, reasons.reason)))
  reasons.setExitCode(failures.length > 0 || report.cut.length > 0 || report.background.some(isLost))
  for (const failure of failures) {
    // a failure that cannot be printed must not hide the others
    await run(Line.error("Failed after the shutdown", {}, Cause.fail(failure)))
  }
  if (failures.length > 0) throw failures[0]
  return report
}

const closing = (framework: Framework): LastTask => ({
  name: "`close` of the framework",
  run: () => framework.close()
})

const finallyFailures = async (
  { sync, warn }: RunningServer,
  { finallyTimeout }: Settings,
  afterwards: () => unknown
): Promise<ReadonlyArray<unknown>> => {
  // Node ends a process that has nothing left to do, and says nothing of promises that wait for nothing
  const unfinished = () => {
    process.exitCode ||= 1
    const message =
      "`finally` has not finished, and nothing is left that it could wait for: the process ends without it"
    sync(Line.error(message))
  }
  process.once("beforeExit", unfinished)
  const failures = await failuresOf([{ name: "`finally`", run: afterwards }], finallyTimeout, warn)
  process.off("beforeExit", unfinished)
  return failures
}
