/**
 * systemd and PM2 are told what the program does, once: that its first server listens, and that a shutdown has begun.
 */
import * as Effect from "effect/Effect"
import Cluster from "node:cluster"
import * as Pm2 from "../supervisor/pm2.js"
import * as Systemd from "../systemd/stopping.js"

/** What `Systemd.service` extends the time to stop by. */
const extendMillis = 30_000

/**
 * Who this process is to systemd. Its environment reaches the processes below, and each of them could say that the service
 * stops: the main process says all. A worker of its cluster says that it listens, as the primary has no server. All
 * others say nothing.
 */
const partOf = ({ SYSTEMD_EXEC_PID: main }: NodeJS.ProcessEnv): "all" | "ready" | "nothing" => {
  // one that is older than 248 does not say which it has started
  const is = (pid: number) => main === undefined || main === String(pid)
  if (Cluster.isWorker) return is(process.ppid) ? "ready" : "nothing"
  return is(process.pid) ? "all" : "nothing"
}

/** As PM2 gives its settings to a process. */
const isAwaitedByPm2 = ({ pm_id, wait_ready }: NodeJS.ProcessEnv): boolean =>
  pm_id !== undefined && wait_ready === "true"

/** The first server listens. */
export const tellSupervisors = (
  all: Systemd.Stopping & { readonly shuttingDown: Effect.Effect<void> }
): Effect.Effect<void> =>
  Effect.suspend(() => {
    const part = process.env["NOTIFY_SOCKET"] === undefined ? "nothing" : partOf(process.env)
    const ready = part === "nothing" ? Effect.void : Systemd.isReady
    const stops = part === "all" ? Effect.zipRight(all.shuttingDown, Systemd.stops(all, extendMillis)) : Effect.void
    return Effect.zipRight(
      isAwaitedByPm2(process.env) ? Pm2.isReady : Effect.void,
      Effect.zipRight(ready, stops)
    )
  })
