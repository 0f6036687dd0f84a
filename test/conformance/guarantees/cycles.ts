/** Starts and stops in one process, and what that process holds at their end. */
import { withChild } from "../../support/child.js"

/** Names what is held, or grows: nothing, if all is as after the first. */
export const cyclesHold = (
  cycles: number,
  limitMillis: number
): Promise<{ readonly problems: ReadonlyArray<string> }> =>
  withChild(new URL("./fixtures/cycles.ts", import.meta.url), [String(cycles)], async (child) => {
    const { fibers, growth, heapAfter, heapBefore } = await child.line("held", limitMillis)
    // over 6,000 cycles the heap levels off; in the first thousand, compiled code adds some 700 bytes a cycle, with
    // stock platform-node too. A server that is kept is more than 10 KB, and a socket more than 2 KB.
    const perCycle = (Number(heapAfter) - Number(heapBefore)) / (cycles * 2 / 5)
    const { code, signal } = await child.exit(10_000)
    return {
      problems: [
        ...Object.entries(growth as object).map(([what, by]) => `${what} has grown by ${String(by)}`),
        ...(fibers === 0 ? [] : [`${String(fibers)} fibers go on`]),
        ...(perCycle < 2048 ? [] : [`the heap grows by ${Math.round(perCycle)} bytes a cycle`]),
        ...(code === 0 ? [] : [`the process ended with ${String(code ?? signal)}`])
      ]
    }
  }, { execArgv: ["--expose-gc"] })
