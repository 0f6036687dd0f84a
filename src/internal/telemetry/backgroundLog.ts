/**
 * What the log says of background work that fails.
 */
import type * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as LogLevel from "effect/LogLevel"
import { clip } from "../model/text.js"
import { count, namesOf } from "./progress.js"
import { listed, say } from "./say.js"
import type { WatchedServer } from "./telemetry.js"

export const backgroundFailed = (
  server: WatchedServer,
  name: string,
  cause: Cause.Cause<unknown>
): Effect.Effect<void> =>
  say(server, LogLevel.Error, "BackgroundFailed", `Background work "${clip(name)}" failed`, { name }, cause)

/** Those that were not printed. */
export const moreFailed = (server: WatchedServer): Effect.Effect<void> =>
  Effect.suspend(() => {
    const rest = server.telemetry.failures.takeRest()
    if (rest.length === 0) return Effect.void
    const all = rest.reduce((sum, [, n]) => sum + n, 0)
    const names = namesOf(rest.map(([name, n]) => `"${clip(name, 64)}" (${n})`), rest.length)
    return say(
      server,
      LogLevel.Error,
      "BackgroundFailed",
      `Background work failed ${count(all, "time")} more: ${names}`,
      {
        count: all,
        background: rest.slice(0, listed).map(([name, n]) => ({ name: clip(name, 64), count: n }))
      }
    )
  })
