/**
 * Hooks that are registered with a server, each in the scope of whoever registers it.
 */
import * as Effect from "effect/Effect"
import * as Runtime from "effect/Runtime"
import type { Hooks } from "../drain/hooks.js"
import type { ServerService } from "../model/server.js"
import { inOwnContext } from "../node/asyncContext.js"
import { checkNames } from "../policy/optionNames.js"
import { duration } from "../policy/policy.js"
import { hookSpan } from "../telemetry/shutdownSpans.js"
import type { WatchedServer } from "../telemetry/telemetry.js"

export const onShutdown = (server: WatchedServer, hooks: Hooks): ServerService["onShutdown"] => (name, hook, options) =>
  Effect.gen(function*() {
    if (options !== undefined) {
      yield* checkNames(`options of the hook "${name}"`, options, ["timeout"], ` of the hook "${name}"`)
    }
    const limit = options?.timeout === undefined
      ? Number.POSITIVE_INFINITY
      : yield* duration(`timeout of the hook "${name}"`, options.timeout)
    const around = yield* Effect.runtime<Effect.Effect.Context<typeof hook>>()
    const work = inOwnContext(() => Runtime.runFork(around)(Effect.interruptible(hookSpan(server, name)(hook))))
    yield* Effect.acquireRelease(
      Effect.sync(() => hooks.add(name, limit, work)),
      (hook) => hooks.remove(hook)
    )
  })
