/**
 * Keep-alives that are turned off and on again, outside of a shutdown (Go's rules C9 and C10).
 */
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import type { ConnectionRegistry } from "../core/connectionRegistry.js"
import { closeIdleConnections } from "../drain/settle.js"
import type { TimedLatch } from "../drain/timedLatch.js"
import { unsafeInterrupt } from "../effect/fibers.js"
import type { ServerService } from "../model/server.js"
import type { ResolvedPolicy } from "../policy/policy.js"

const forever = Number.POSITIVE_INFINITY

export interface KeepAlives {
  readonly set: ServerService["setKeepAlives"]
  /** A shutdown begins, which closes idle connections by its own rules. */
  readonly giveWay: () => void
}

export const make = (
  policy: ResolvedPolicy,
  registry: ConnectionRegistry,
  woken: TimedLatch,
  run: (effect: Effect.Effect<void>) => Fiber.RuntimeFiber<void>
): KeepAlives => {
  let closing: Fiber.RuntimeFiber<void> | undefined = undefined
  return {
    giveWay: () => {
      if (closing !== undefined) unsafeInterrupt(closing)
    },
    set: (enabled) =>
      Effect.suspend(() => {
        if (registry.lifecycle.isStopping) return Effect.void
        if (enabled) {
          // what was told to leave is still watched until it has left
          const since = registry.now()
          const grace = closing === undefined ? undefined : { newConnection: forever, idle: forever, since }
          registry.advance({ to: "Serving", grace })
          return Effect.void
        }
        registry.advance({ to: "KeepAlivesOff", grace: registry.lifecycle.grace })
        const before = closing
        for (const connection of registry.connections) connection.protocol.gracefulClose()
        closing = run(closeIdleConnections(policy, registry, woken))
        return before === undefined ? Effect.void : Fiber.interrupt(before)
      })
  }
}
