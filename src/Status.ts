/**
 * A live status on a terminal: while the server stops, a few lines that are drawn again and again say how long it still
 * has, and which requests and hooks it waits for.
 *
 * ```text
 * Draining, 4.2 s left: 3 connections (2 Active, 1 Idle)
 *   GET /report?year=2026 from 127.0.0.1:50312 (6.1 s)
 *   POST /orders from 127.0.0.1:50340 (0.8 s)
 *   hook: flush metrics
 * ```
 *
 * Whatever else is written to the terminal goes above it, and when the server has shut down it is gone. Where there is
 * no terminal it does nothing, for there the log says the same; and where there is one, the log's own lines of progress
 * are for debugging only.
 *
 * **Gotchas**
 *
 * - `docker run` without `-t`, systemd, Kubernetes and CI give no terminal; nor does a terminal that says `TERM=dumb`.
 * - For as long as it is shown, `process.stdout.write` and `process.stderr.write` are its own.
 *
 * @since 0.1.0
 * @module
 */

import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { WriteStream } from "node:tty"
import { checkNames } from "./internal/policy/optionNames.js"
import { connections, count, otherWork, progressOf, request, timeLeft } from "./internal/telemetry/progress.js"
import type { WatchedServer } from "./internal/telemetry/telemetry.js"
import * as Terminal from "./internal/telemetry/terminal.js"
import { watch } from "./internal/telemetry/watching.js"
import { Server } from "./Server.js"
import type { InvalidPolicy } from "./Shutdown.js"

/**
 * How a status is shown.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options {
  /** Where. Default: `process.stderr`, which is a terminal also where the log goes to a file. */
  readonly out?: WriteStream | undefined
  /** Whether it is shown while the server serves, too. Default: false. */
  readonly serving?: boolean | undefined
}

const optionNames = Object.keys({ out: true, serving: true } satisfies { readonly [K in keyof Options]-?: true })

/** How many requests are named. */
const named = 8

const drawMillis = 100

/**
 * Shows the status of a server, until it has shut down.
 *
 * **Example**
 *
 * ```ts
 * import { HttpLayerRouter, HttpServerResponse } from "@effect/platform"
 * import { NodeRuntime } from "@effect/platform-node"
 * import { Layer } from "effect"
 * import { NodeHttpServer, Status } from "quiesce"
 * import { createServer } from "node:http"
 *
 * HttpLayerRouter.serve(HttpLayerRouter.add("GET", "/", HttpServerResponse.text("hello\n"))).pipe(
 *   Layer.provide(Status.layer()),
 *   Layer.provide(NodeHttpServer.layer(() => createServer(), { port: 3000 })),
 *   Layer.launch,
 *   NodeRuntime.runMain
 * )
 * ```
 *
 * @since 0.1.0
 * @category layers
 */
export const layer = (options: Options = {}): Layer.Layer<never, InvalidPolicy, Server> =>
  Layer.scopedDiscard(Effect.gen(function*() {
    yield* checkNames("options", options, optionNames)
    const server = yield* Server
    const { out = process.stderr, serving = false } = options
    if (!Terminal.isLive(out)) return
    yield* watch(server, (view) => {
      const terminal = Terminal.make(out, [process.stdout, process.stderr])
      return {
        look: () => {
          view.telemetry.statusShown = view.telemetry.startedAt !== undefined
          terminal.draw(lines(view, (code, text) => out.hasColors() ? `\u001b[${code}m${text}\u001b[0m` : text))
        },
        pause: (stopping) => stopping || serving ? drawMillis : Number.POSITIVE_INFINITY,
        onRelease: terminal.close,
        onReport: terminal.close
      }
    })
  }))

const dim = 2

const yellow = 33

const lines = (view: WatchedServer, paint: (code: number, text: string) => string): ReadonlyArray<string> => {
  const { phase } = view.telemetry
  const progress = progressOf(view, named)
  if (phase === "Serving") {
    return [paint(dim, `Serving: ${connections(progress)}, ${count(progress.inFlight, "request")} in flight`)]
  }
  const left = timeLeft(progress, seconds)
  const more = progress.inFlight - progress.oldest.length
  return [
    paint(yellow, `${phase}${left === undefined ? "" : `, ${left}`}: ${connections(progress)}`),
    ...progress.oldest.map((each) => `  ${request(each, seconds)}`),
    ...(more > 0 ? [`  and ${count(more, "request")} more`] : []),
    ...otherWork(progress).map((what) => `  ${what}`)
  ]
}

const seconds = (millis: number): string => `${(Math.max(0, millis) / 1000).toFixed(1)} s`
