/**
 * Whoever listens for a signal takes away what it does by itself, which is to end the process: so we owe the end.
 */

import { setTimeout } from "../node/timers.js"

/** How long the process may take to end by itself when all is over. */
const lingerMillis = 1000

/** Shutdowns of this process that are not over: ending it would cut them. */
const unfinished = new Set<object>()

/** Of a shutdown that a signal has asked for; says what keeps the process alive. */
let owed: ((message: string) => void) | undefined

/** A shutdown has begun. */
export const begins = (shutdown: object): void => void unfinished.add(shutdown)

/** A shutdown is over; `warn` is given where a signal has asked for it. */
export const isOver = (shutdown: object, warn: ((message: string) => void) | undefined): void => {
  unfinished.delete(shutdown)
  owed = warn ?? owed
  if (owed !== undefined && unfinished.size === 0) setTimeout(end, lingerMillis).unref()
}

const end = () => {
  // the end of the last one begins anew
  if (owed === undefined || unfinished.size > 0) return
  const code = process.exitCode ?? 0
  owed(
    `All is over, and something still keeps the process alive (${holding()}): ending it with exit code ${code}. `
      + "Close it in `finally`, or unref it"
  )
  owed = undefined
  // oxlint-disable-next-line no-process-exit -- the signal would have done it
  process.exit(code)
}

/** What keeps the process alive, in Node's names. */
const holding = (): string => {
  const resources = process.getActiveResourcesInfo()
  // Node names them as well, and they hold nothing
  for (const { _handle: handle } of [process.stdout, process.stderr] as ReadonlyArray<{ readonly _handle?: object }>) {
    const at = handle === undefined ? -1 : resources.indexOf(`${handle.constructor.name}Wrap`)
    if (at >= 0) resources.splice(at, 1)
  }
  return [...new Set(resources)].join(", ") || "Node does not name it"
}
