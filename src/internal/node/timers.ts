/**
 * Timers and clocks as Node has them. Fake timers (vitest, sinon, `node:test`) replace the globals: a shutdown that used
 * those would hang, or end before its time. What is imported by name from a module of Node's is not replaced, since
 * nobody calls `syncBuiltinESMExports` for it.
 */
import { performance as nodePerformance } from "node:perf_hooks"

export { nextTick } from "node:process"
export { clearImmediate, clearInterval, clearTimeout, setImmediate, setInterval, setTimeout } from "node:timers"

/** Not the server's clock: for what does not depend on anybody's idea of the time. */
export const machineMillis: () => number = nodePerformance.now.bind(nodePerformance)

// oxlint-disable-next-line no-restricted-globals -- taken at import
const { now } = Date

/** Milliseconds since 1970, as the system has them. */
export const epochMillis = (): number => now()
