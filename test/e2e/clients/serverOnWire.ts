/** What the clients visit: a Node server on each wire, with a `quiesce` server over it. */
import * as HttpServer from "@effect/platform/HttpServer"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import * as Http from "node:http"
import { NodeHttpServer, Server, type Shutdown } from "../../../src/index.js"
import type { HttpApp } from "../../support/effect/apps.js"
import { ownLoopback } from "../../support/loopback.js"
import { createServer, type NodeServer, type Wire } from "../../support/nodeServer.js"
import { type Program, start } from "../../support/program.js"
import { launch, type Running, until } from "../../support/running.js"
import { deferred } from "../../support/wait.js"

type App = Omit<Running, "context" | "target">

export interface Site extends App {
  /** Without a slash at its end. */
  readonly origin: string
}

const onLoopback = { host: ownLoopback, port: 0 }

const siteOf = (node: NodeServer, wire: Wire, app: App): Site => {
  const address = node.address()
  const port = typeof address === "object" && address !== null ? address.port : 0
  return { ...app, origin: `${wire === "http" || wire === "h2c" ? "http" : "https"}://${ownLoopback}:${port}` }
}

type Handler = (request: Http.IncomingMessage, response: Http.ServerResponse) => void

/** A plain Node server that is adopted, as a framework's is. */
export const adopted = (
  wire: Wire,
  handler: Handler,
  policy: Shutdown.Policy = {},
  prepare: (node: NodeServer) => void = () => {}
): Effect.Effect<Site, unknown, Scope.Scope> =>
  Effect.suspend(() => {
    const node = createServer(wire)
    node.on("request", handler)
    prepare(node)
    const listening = Layer.scopedDiscard(
      Effect.flatMap(Server.Server, (server) =>
        Effect.zipRight(
          server.adopt(node),
          Effect.async<void>((resume) => {
            node.listen(onLoopback, () => resume(Effect.void))
          })
        ))
    )
    return Effect.map(
      launch(Layer.provideMerge(listening, Server.layer(policy)), () => onLoopback, () => node.listening),
      (app) => siteOf(node, wire, app)
    )
  })

/** An Effect app behind `NodeHttpServer`. */
export const served = <E>(
  wire: Wire,
  app: HttpApp<E>,
  options: Shutdown.Policy & { readonly port?: number } = {}
): Effect.Effect<Site, unknown, Scope.Scope> =>
  Effect.suspend(() => {
    const node = createServer(wire)
    return Effect.map(
      launch(
        HttpServer.serve(app).pipe(
          Layer.provideMerge(NodeHttpServer.layer(() => node, { ...onLoopback, ...options }))
        ),
        () => onLoopback,
        () => node.listening
      ),
      (app) => siteOf(node, wire, app)
    )
  })

/** Handlers that wait until the test lets them go, and an account of what has been executed and answered. */
export const makeWork = () => {
  const released = deferred()
  const executed: Array<string> = []
  return {
    /** The URL of each request whose handler has begun. */
    executed,
    ran: (url: string | undefined) => {
      executed.push(url ?? "")
    },
    released: released.promise,
    release: Effect.sync(() => released.resolve()),
    /** `seen` says what else there is to see where that does not happen. */
    untilRan: (count: number, seen: () => string = () => "") =>
      Effect.asVoid(until(
        () => `${count} handlers to have begun; ${executed.length} have${seen()}`,
        () => executed.length >= count,
        10_000
      ))
  }
}

export type Work = ReturnType<typeof makeWork>

/** A program that is gone when the test is over. */
export const runningProgram = (program: Program, args: ReadonlyArray<string>) =>
  Effect.acquireRelease(Effect.sync(() => start(program, args)), ({ kill }) => Effect.promise(kill))
