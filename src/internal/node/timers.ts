/**
 * Timers and clocks as Node has them, taken when this package is imported. Fake timers (vitest, sinon, `node:test`)
 * replace the globals later: a shutdown that used those would hang, or end before its time.
 */
export const { clearImmediate, clearInterval, clearTimeout, setImmediate, setInterval, setTimeout } = globalThis

/** Not the server's clock: for what does not depend on anybody's idea of the time. */
// oxlint-disable-next-line no-restricted-globals
export const machineMillis: () => number = performance.now.bind(performance)
