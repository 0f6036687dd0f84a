/**
 * What a process holds: sockets, timers, signal listeners, heap. Take a snapshot before and after; only growth is
 * reported.
 */
import * as V8 from "node:v8"
import * as Vm from "node:vm"
import { waitFor } from "./wait.js"

export type Counts = Readonly<Record<string, number>>

const signals = ["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT", "SIGUSR1", "SIGUSR2"] as const
const processEvents = ["exit", "beforeExit", "uncaughtException", "unhandledRejection", "warning"] as const

/** Active handles and requests by type (`TCPSocketWrap`, `Timeout`, …), as Node counts them. */
export const activeResources = (): Counts => {
  const counts: Record<string, number> = {}
  for (const type of process.getActiveResourcesInfo()) counts[type] = (counts[type] ?? 0) + 1
  return counts
}

/** Listeners on `process` for each signal and life-cycle event. */
export const processListeners = (): Counts =>
  Object.fromEntries([...signals, ...processEvents].map((event) => [event, process.listenerCount(event)]))

export const snapshot = (): Counts => ({ ...activeResources(), ...processListeners() })

/** What `after` has more of than `before`; empty when nothing leaked. */
export const growth = (before: Counts, after: Counts): Counts =>
  Object.fromEntries(
    Object.entries(after)
      .map(([type, count]) => [type, count - (before[type] ?? 0)] as const)
      .filter(([, more]) => more > 0)
  )

/** Waits until nothing is held beyond `before`: sockets close a turn or two after they are destroyed. */
export const untilNoGrowth = async (before: Counts, limitMs: number, ignore: ReadonlyArray<string> = []) => {
  // The wait's own timers are in every later count.
  const waiting: Counts = { Timeout: 2 }
  const more = () =>
    Object.fromEntries(
      Object.entries(growth(before, snapshot()))
        .map(([type, count]) => [type, count - (waiting[type] ?? 0)] as const)
        .filter(([type, count]) => count > 0 && !ignore.includes(type))
    )
  await waitFor(
    () => `nothing left over, but there is ${JSON.stringify(more())}`,
    () => Object.keys(more()).length === 0,
    limitMs
  )
}

let collect: (() => void) | undefined

/** Bytes of live heap: collected until two readings agree. Needs no `--expose-gc`. */
export const heapAfterGc = async (): Promise<number> => {
  if (collect === undefined) {
    V8.setFlagsFromString("--expose-gc")
    collect = Vm.runInNewContext("gc") as () => void
  }
  let previous = Number.POSITIVE_INFINITY
  for (let i = 0; i < 10; i++) {
    // Finalization registries and weak references need a turn between two collections.
    await new Promise((resolve) => setImmediate(resolve))
    collect()
    const used = process.memoryUsage().heapUsed
    if (Math.abs(previous - used) < 16 * 1024) return used
    previous = used
  }
  return previous
}
