import { readFileSync } from "node:fs"

/**
 * How long the longest turn of this event loop has taken, in milliseconds. A turn in which the process waits for a
 * processor is long by the clock, and one in which other threads collect garbage or compile is long by processor time:
 * the loop has been blocked for no longer than the shorter of both.
 */
export const longestTurn = (): () => number => {
  let cpu = process.cpuUsage()
  let since = performance.now()
  let longest = 0
  const timer = setInterval(() => {
    const { system, user } = process.cpuUsage(cpu)
    longest = Math.max(longest, Math.min((user + system) / 1000, performance.now() - since))
    cpu = process.cpuUsage()
    since = performance.now()
  }, 1)
  return () => {
    clearInterval(timer)
    return longest
  }
}

/**
 * How long this thread has waited for a processor that others had, in milliseconds: nothing on a machine that does
 * nothing else. 0 where the system does not say.
 */
export const queuedMillis = (): number => {
  try {
    return Number(readFileSync("/proc/thread-self/schedstat", "utf8").split(" ")[1]) / 1e6
  } catch {
    return 0
  }
}
