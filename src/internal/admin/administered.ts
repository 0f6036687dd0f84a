/**
 * What an admin listener shows, and may stop: a server, or all those of a process.
 */
import type * as Effect from "effect/Effect"
import type { Phase } from "../model/policy.js"
import type { PlainService } from "../model/server.js"

export interface Administered {
  /** Those that are open, and those that the shutdown has closed. */
  readonly servers: () => ReadonlyArray<PlainService>
  /** What those have done that are no longer among them. */
  readonly earlier: { readonly accepted: number; readonly served: number }
  readonly phase: Effect.Effect<Phase>
  /** Suspends until a shutdown begins. */
  readonly shuttingDown: Effect.Effect<void>
  readonly drainNow: Effect.Effect<void>
}

export const oneServer = (server: PlainService): Administered => ({
  servers: () => [server],
  earlier: { accepted: 0, served: 0 },
  phase: server.phase.get,
  shuttingDown: server.shuttingDown,
  drainNow: server.drainNow
})
