/** The shutdown of an attacked server: begun once, and over within its bound. */
import * as Effect from "effect/Effect"
import type { Connection, Server, Shutdown } from "../../../src/index.js"
import { reportOf, silent } from "../../support/running.js"
import { now, waitFor } from "../../support/wait.js"

/** The limit of every wait that a correct server satisfies in milliseconds. */
export const limit = 10_000

/** How much later than its bound a shutdown may end, on a machine that does other things as well. */
export const scheduling = 3000

export interface Ended {
  readonly report: Shutdown.Report
  readonly millis: number
}

export interface BoundedShutdown {
  readonly connections: () => ReadonlyArray<Connection.Connection>
  readonly untilPhase: (phase: Shutdown.Phase) => Promise<void>
  /** Begins a shutdown, once: its report, and how long it took by the clock on the wall. */
  readonly shutdown: () => Promise<Ended>
}

export const boundedShutdown = (
  server: Server.ServerService,
  { killTimeout, timeout }: Pick<Shutdown.Policy, "timeout" | "killTimeout">,
  onShutdown: () => void = () => {}
): BoundedShutdown => {
  const connections = () => Effect.runSync(server.connections)
  let ended: Promise<Ended> | undefined
  return {
    connections,
    untilPhase: async (phase) => {
      await waitFor(`the phase ${phase}`, () => Effect.runSync(server.phase.get) === phase, limit)
    },
    shutdown: () =>
      ended ??= (async () => {
        onShutdown()
        const startedAt = now()
        const report = await waitFor(
          () => `the end of the shutdown; open are ${JSON.stringify(connections())}`,
          Effect.runPromise(Effect.provide(reportOf(server.shutdown), silent)),
          Number(timeout) + Number(killTimeout) + scheduling
        )
        return { report, millis: now() - startedAt }
      })()
  }
}
