import { expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import type { TrackedConnection } from "../../../src/internal/core/connection.js"
import { ConnectionRegistry } from "../../../src/internal/core/connectionRegistry.js"
import { resolve } from "../../../src/internal/policy/policy.js"
import { make } from "../../../src/internal/server/rehearsal.js"
import { pace, waitFor } from "../../support/wait.js"
import { collectLog } from "../telemetry/collectLog.js"

const registryOf = (wake: () => void) =>
  new ConnectionRegistry({
    now: () => performance.now(),
    wake,
    keepHeads: false,
    endsEventStreams: true,
    takesTurns: false,
    goingAway: { code: 1012, reason: "", message: "", lastLine: "" },
    onObserverError: () => {}
  })

const busy = { exchanges: { size: 1 } } as TrackedConnection

it.live("a shutdown is played once in a process, when no connection has a request, and says nothing", () =>
  Effect.scoped(Effect.gen(function*() {
    const policy = yield* resolve({ lameDuck: "1 hour" })
    const own = registryOf(() => {})
    const log = collectLog()
    const played: Array<Fiber.RuntimeFiber<unknown, unknown>> = []
    const rehearsal = make(policy, registryOf, {
      isPlayed: false,
      servers: new Set(),
      run: (effect) => {
        const fiber = Effect.runFork(Effect.provide(effect, log.layer))
        played.push(fiber)
        return fiber
      }
    })

    own.connections.add(busy)
    yield* rehearsal.playWhenIdle(own)
    // another server of the process, which has nothing to do
    yield* rehearsal.playWhenIdle(registryOf(() => {}))
    yield* Effect.promise(() => pace(1200))
    expect(played).toHaveLength(0)

    own.connections.delete(busy)
    yield* Effect.promise(() => waitFor("the rehearsal", () => played[0], 5000))
    const [fiber] = played
    if (fiber !== undefined) expect(Exit.isSuccess(yield* Fiber.await(fiber))).toBe(true)
    expect(log.raw).toEqual([])
    expect(own.lifecycle.state).toBe("Serving")

    rehearsal.play()
    yield* rehearsal.playWhenIdle(own)
    yield* Effect.promise(() => pace(1200))
    expect(played).toHaveLength(1)
  })))
