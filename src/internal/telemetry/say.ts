/**
 * A line of the log about a server.
 */
import type * as Effect from "effect/Effect"
import type * as LogLevel from "effect/LogLevel"
import * as Line from "../log/line.js"
import { printAddress } from "../model/listener.js"
import type { WatchedServer } from "./telemetry.js"

/** How many requests, hooks, or names of background work its annotations list. */
export const listed = 20

/** With the addresses that it listens on. */
export const say = (
  { listeners }: WatchedServer,
  level: LogLevel.LogLevel,
  event: string,
  message: string,
  data: Line.Data,
  failure?: unknown
): Effect.Effect<void> =>
  Line.log(
    level,
    message,
    { event, listeners: Array.from(listeners, ({ address }) => printAddress(address)), ...data },
    failure
  )
