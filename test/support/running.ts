/**
 * An app that runs as `runMain` runs it: `Layer.launch` in a fiber of its own, stopped by interrupting that fiber.
 *
 * Time is the test's: under `it.scoped` the server runs on the `TestClock`, while its sockets are real. So waits for
 * what a client sees take real time and have a real limit, and a deadline of 30 s passes when the test says so.
 */
import * as HttpServer from "@effect/platform/HttpServer"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import type * as Scope from "effect/Scope"
import * as Http from "node:http"
import { type Listener, NodeHttpServer, Server, Shutdown } from "../../src/index.js"
import { defects } from "../../src/internal/effect/causes.js"
import type { HttpApp } from "./effect/apps.js"
import { get } from "./httpRequests.js"
import * as Raw from "./rawClient.js"
import { waitFor } from "./wait.js"

/** The limit of every wait that a correct server satisfies in milliseconds: only a failing test ever takes it. */
export const limit = 10_000

export interface Running<A = never> {
  readonly server: Server.ServerService
  readonly target: Raw.Target
  readonly context: Context.Context<A | Server.Server>
  /** What `runMain` does when a signal comes. Returns at once. */
  readonly interrupt: Effect.Effect<void>
  /** How the fiber that held the scope has ended. */
  readonly exit: Effect.Effect<Exit.Exit<never, unknown>>
  /** The report, once the scope has closed. */
  readonly report: Effect.Effect<Shutdown.Report>
  /**
   * Interrupts, and waits until the listeners have closed and draining has begun in earnest: only then may the clock
   * be moved, since hooks and graces begin there. Where there is nothing to wait for, it may have ended.
   */
  readonly drain: Effect.Effect<void>
  /** Interrupts, and waits for the report. */
  readonly stop: Effect.Effect<Shutdown.Report>
}

export interface RunOptions extends Shutdown.Policy {
  readonly node?: Http.ServerOptions | undefined
  readonly listen?: Listener.Options | undefined
}

const oneSecond = Effect.async<void>((resume) => {
  const timer = setTimeout(() => resume(Effect.void), 1000)
  return Effect.sync(() => clearTimeout(timer))
})

/** Launches a layer that has a server in it. */
export const launch = <A, E>(
  layer: Layer.Layer<A | Server.Server, E>,
  targetOf: (context: Context.Context<A | Server.Server>) => Raw.Target,
  isListening: () => boolean = () => false
): Effect.Effect<Running<A>, E, Scope.Scope> =>
  Effect.gen(function*() {
    const ready = yield* Deferred.make<Context.Context<A | Server.Server>>()
    const fiber = yield* Effect.forkDaemon(
      Layer.launch(Layer.tap(layer, (context) => Deferred.succeed(ready, context)))
    )
    const context = yield* Effect.raceFirst(Deferred.await(ready), Fiber.join(fiber))
    const server = Context.get(context, Server.Server)
    const interrupt = Effect.sync(() => fiber.unsafeInterruptAsFork(fiber.id()))
    const exit = real("the scope to close", Fiber.await(fiber))
    const report = Effect.zipRight(exit, reportOf(server.closed))
    // a test that has failed must not hang in its cleaning up
    yield* Effect.addFinalizer(() =>
      Effect.raceFirst(
        Effect.interruptible(Effect.zipRight(server.close, Fiber.interrupt(fiber))),
        Effect.interruptible(oneSecond)
      )
    )
    return {
      server,
      target: targetOf(context),
      context,
      interrupt,
      exit,
      report,
      drain: Effect.zipRight(interrupt, untilPhase(server, "Draining", "Closed")).pipe(
        Effect.zipRight(Effect.asVoid(until("the listeners to have closed", () => !isListening())))
      ),
      stop: Effect.zipRight(interrupt, report)
    }
  })

/** An Effect app behind `NodeHttpServer.layer`. */
export const serving = <E>(
  app: HttpApp<E>,
  { listen, node, ...policy }: RunOptions = {}
): Effect.Effect<Running<HttpServer.HttpServer>, unknown, Scope.Scope> =>
  Effect.suspend(() => {
    const server = Http.createServer(node ?? {})
    return launch(
      HttpServer.serve(app).pipe(
        Layer.provideMerge(NodeHttpServer.layer(() => server, { host: "127.0.0.1", port: 0, ...listen, ...policy }))
      ),
      (context) => targetOf(Context.get(context, HttpServer.HttpServer).address),
      () => server.listening
    )
  })

/** A plain Node server, with no Effect in its handlers. */
export const plain = (
  handler: Http.RequestListener,
  { listen, node, ...policy }: RunOptions = {}
): Effect.Effect<Running, unknown, Scope.Scope> =>
  Effect.suspend(() => {
    const own = Http.createServer(node ?? {}, handler)
    let target: Raw.Target = { port: 0 }
    const listening = Layer.scopedDiscard(
      Effect.flatMap(Server.Server, (server) => server.listen(() => own, { host: "127.0.0.1", port: 0, ...listen }))
        .pipe(
          Effect.map(({ address }) => {
            target = targetOf(address)
          })
        )
    )
    return launch(Layer.provideMerge(listening, Server.layer(policy)), () => target, () => own.listening)
  })

export const targetOf = (address: Listener.Address | HttpServer.Address): Raw.Target =>
  "path" in address ? { path: address.path } : { port: address.port }

/** A report, whether it is one of success or of failure. */
export const reportOf = (
  shutdown: Effect.Effect<Shutdown.Report, Shutdown.DeadlineExceeded>
): Effect.Effect<Shutdown.Report> =>
  Effect.catchTag(shutdown, "DeadlineExceeded", ({ report }) => Effect.succeed(report))

/** The failure that made a scope's finalizer die, as `runMain` sees it. */
export const deadlineExceededIn = (exit: Exit.Exit<unknown, unknown>): Shutdown.DeadlineExceeded | undefined =>
  Exit.isFailure(exit)
    ? defects(exit.cause).find((defect) => defect instanceof Shutdown.DeadlineExceeded)
    : undefined

/** Waits in real time, whatever the clock of the effect is. */
export const real = <A, E>(label: string, effect: Effect.Effect<A, E>, limitMs = limit): Effect.Effect<A, E> =>
  Effect.flatMap(
    Effect.fork(effect),
    (fiber) =>
      Effect.flatten(
        Effect.promise(() =>
          waitFor(label, new Promise<Exit.Exit<A, E>>((resolve) => fiber.addObserver(resolve)), limitMs)
        )
      )
  )

export const until = <A>(label: string | (() => string), predicate: () => A, limitMs = limit) =>
  Effect.promise(() => waitFor(label, predicate, limitMs))

const names = new WeakMap<Raw.RawClient, string>()

/** A raw client that is gone when the test is over. */
export const client = (target: Raw.Target, options?: Raw.Options): Effect.Effect<Raw.RawClient, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.promise(() => Raw.connect(target, options)),
    (client) => Effect.sync(client.leave)
  ).pipe(Effect.tap((client) =>
    Effect.sync(() => {
      const { localPort } = client.socket
      names.set(client, localPort === undefined ? "unknown" : `127.0.0.1:${localPort}`)
    })
  ))

/** The name under which the server knows a client: a socket forgets it when it closes. */
export const remoteAddress = (client: Raw.RawClient): string => names.get(client) ?? "not one of ours"

export const send = (client: Raw.RawClient, ...pieces: ReadonlyArray<string>): Effect.Effect<void> =>
  Effect.promise(() => client.write(pieces.join("")))

export { get, post } from "./httpRequests.js"

/** Waits for that many whole responses, and returns them. */
export const responses = (client: Raw.RawClient, count: number) =>
  Effect.map(Effect.promise(() => client.untilResponses(count, limit)), (parsed) => parsed.responses)

/** The one response that a client has got, and how its connection ended. */
export const answer = (client: Raw.RawClient) =>
  Effect.map(responses(client, 1), ([response]) => ({
    status: response?.status,
    body: response?.body.toString(),
    connection: response?.headers["connection"]
  }))

export const ended = (client: Raw.RawClient) => Effect.promise(() => client.untilEnded(limit))

/** Waits until the server knows of exactly these states, in the order of accept. */
export const untilStates = (server: Server.ServerService, ...states: ReadonlyArray<string>): Effect.Effect<void> =>
  Effect.asVoid(until(
    () => `the states ${states.join(", ")}, but they are ${seen(server).join(", ")}`,
    () => seen(server).join() === states.join()
  ))

const seen = (server: Server.ServerService) => Effect.runSync(server.connections).map(({ state }) => state)

/** A client that has had one answer, and keeps its connection. */
export const idleAfterOne = (target: Raw.Target) =>
  Effect.gen(function*() {
    const idle = yield* client(target)
    yield* send(idle, get("/"))
    yield* responses(idle, 1)
    return idle
  })

/** Waits until the server is in one of those phases. */
export const untilPhase = (
  server: Server.ServerService,
  ...phases: ReadonlyArray<Shutdown.Phase>
): Effect.Effect<void> =>
  Effect.asVoid(until(`the phase ${phases.join(" or ")}`, () => phases.includes(Effect.runSync(server.phase.get))))

/** Under the live clock `@effect/vitest` logs; under the `TestClock` it is silent by itself. */
export const silent: Layer.Layer<never> = Logger.remove(Logger.defaultLogger)
