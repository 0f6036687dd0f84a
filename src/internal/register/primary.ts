/**
 * A worker of `node:cluster` whose primary has ended. Node ends the worker at once, with exit code 0, unless it has been
 * told to leave: what it owes would be cut. So it is told, and a signal begins its shutdown, as if the primary had sent
 * one.
 */
import type * as Effect from "effect/Effect"
import Cluster from "node:cluster"
import * as Line from "../log/line.js"
import * as Patch from "../node/patch.js"

interface Watched {
  readonly log: (line: Effect.Effect<void>) => void
  /** A shutdown has begun. */
  readonly isStopping: () => boolean
}

/** Until what it returns is called. */
export const watchPrimary = ({ isStopping, log }: Watched): () => void => {
  const { worker } = Cluster
  if (worker === undefined) return nothing
  const onDisconnect = (): void => {
    if (worker.exitedAfterDisconnect) return
    Patch.outlivePrimary(worker)
    if (isStopping()) return
    log(
      Line.warning("The primary of this cluster has ended: its worker shuts down as on SIGTERM", {
        event: "PrimaryEnded"
      })
    )
    process.kill(process.pid, "SIGTERM")
  }
  worker.prependListener("disconnect", onDisconnect)
  return () => void worker.off("disconnect", onDisconnect)
}

const nothing = () => {}
