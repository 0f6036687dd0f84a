/**
 * What is sent to systemd, one notification at a time.
 */
import * as Effect from "effect/Effect"
import * as Line from "../log/line.js"
import { sender } from "../supervisor/sdNotify.js"

/**
 * What a notification may say (`sd_notify(3)`): the names and values are systemd's own.
 *
 * @since 0.1.0
 * @category models
 */
export type State = { readonly [name: string]: string | number }

/** In the order in which they were made. */
const one = Effect.unsafeMakeSemaphore(1)

let hasFailed = false

export const notify = (state: State): Effect.Effect<void> =>
  Effect.suspend(() => {
    const send = sender(process.env, process.pid)
    if (send === undefined) return Effect.void
    const lines = Object.entries(state).map(([name, value]) => `${name}=${String(value).replaceAll(/\p{Cc}+/gu, " ")}`)
    return one.withPermits(1)(send(lines.join("\n"))).pipe(
      Effect.catchAll((error) =>
        Effect.suspend(() => {
          const log = hasFailed ? Line.debug : Line.warning
          hasFailed = true
          return log(`systemd could not be notified; the service goes on: ${error.message}`)
        })
      )
    )
  })
