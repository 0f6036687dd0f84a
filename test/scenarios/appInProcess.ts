/**
 * The app of `test/conformance/stock` on quiesce in this process, its shutdown started as `runMain` does it: by interrupting the
 * fiber that holds the scope.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as NodeHttpServer from "../../src/NodeHttpServer.js"
import * as Server from "../../src/Server.js"
import type * as Shutdown from "../../src/Shutdown.js"
import { app, type AppOptions, type Say } from "../conformance/stock/app.js"
import type { Target } from "../support/rawClient.js"
import { deferred, waitFor } from "../support/wait.js"

export interface InProcessApp {
  readonly target: Target
  readonly server: Server.ServerService
  /** What the app has said: `ready`, `started`, `executed`, `pool closed`, … */
  readonly said: (event: string) => ReadonlyArray<Readonly<Record<string, unknown>>>
  readonly started: (count?: number) => Promise<void>
  /** As `runMain` does when a signal comes. */
  readonly interrupt: () => void
  /** Interrupts if nothing has, and waits for the scope to have closed. */
  readonly report: (limitMs?: number) => Promise<Shutdown.Report>
}

export interface InProcessOptions extends AppOptions {
  readonly say?: Say
}

export const start = async (options: InProcessOptions = {}): Promise<InProcessApp> => {
  const events: Array<{ readonly event: string; readonly fields: Readonly<Record<string, unknown>> }> = []
  const say: Say = (event, fields = {}) => {
    events.push({ event, fields })
    options.say?.(event, fields)
  }
  const said = (event: string) => events.filter((entry) => entry.event === event).map((entry) => entry.fields)
  let server: Server.ServerService | undefined
  const watched = {
    layer: (evaluate: Parameters<typeof NodeHttpServer.layer>[0], listen: NodeHttpServer.Options) =>
      NodeHttpServer.layer(evaluate, listen).pipe(
        Layer.tap((context) =>
          Effect.sync(() => {
            server = Context.get(context, Server.Server)
          })
        )
      )
  }
  const ended = deferred<Exit.Exit<unknown, unknown>>()
  const fiber = Effect.runFork(Layer.launch(app(watched, options, say)))
  fiber.addObserver(ended.resolve)
  const [listening] = await waitFor("the app to be ready", () => said("ready").length > 0 && said("listening"), 15_000)
  let interrupted = false
  const interrupt = () => {
    interrupted = true
    fiber.unsafeInterruptAsFork(fiber.id())
  }
  return {
    target: typeof listening?.["path"] === "string"
      ? { path: listening["path"] }
      : { port: Number(listening?.["port"]) },
    server: server!,
    said,
    started: async (count = 1) =>
      void await waitFor(`${count} handlers`, () => said("started").length >= count, 15_000),
    interrupt,
    report: async (limitMs = 90_000) => {
      if (!interrupted) interrupt()
      await waitFor("the scope to close", ended.promise, limitMs)
      return Effect.runPromise(
        Effect.catchTag(server!.closed, "DeadlineExceeded", (error) => Effect.succeed(error.report))
      )
    }
  }
}

/** Runs `use` with an app that has shut down afterwards, whatever happened. */
export const withApp = async <A>(use: (app: InProcessApp) => Promise<A>, options?: InProcessOptions): Promise<A> => {
  const app = await start(options)
  try {
    return await use(app)
  } finally {
    app.interrupt()
    await Effect.runPromise(app.server.close)
  }
}
