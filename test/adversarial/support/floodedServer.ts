/**
 * Servers that one client sends thousands of requests to: an Effect app, and an adopted server of Node; in this process,
 * or in one of their own, so that what their event loop does is their own doing.
 */
import * as HttpServer from "@effect/platform/HttpServer"
import * as HttpServerRequest from "@effect/platform/HttpServerRequest"
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Scope from "effect/Scope"
import type * as Http from "node:http"
import { NodeHttpServer, Server } from "../../../src/index.js"
import { quiesce } from "../../../src/promise.js"
import type { Policy, Report } from "../../../src/Shutdown.js"
import { withChild } from "../../support/child.js"
import { listenOnLoopback, portOf } from "../../support/nodeServer.js"
import { reportOf } from "../../support/running.js"

export interface FloodedServer {
  readonly port: number
  /** How many requests have reached a handler. */
  readonly begun: () => number
  readonly listed: () => Promise<readonly [listed: number, more: number]>
  readonly shutdown: () => Promise<Report>
}

export type Answers = "never" | "at once" | "soon" | "late"

/** In milliseconds. Late is when it has been noticed that reading has stopped. */
const after = { soon: 5, late: 150 }

const urlIsBody = (url: string) => url.slice(1)

/** Of `node:http` or `node:https`; of `node:http2` it is called the same. */
export type Node = Http.Server

export const floodedNodeServer = async (node: Node, answers: Answers, policy: Policy): Promise<FloodedServer> => {
  let begun = 0
  node.on("request", (request, response) => {
    begun++
    const answer = () => response.end(urlIsBody(request.url ?? ""))
    if (answers === "at once") answer()
    else if (answers !== "never") setTimeout(answer, after[answers])
  })
  await listenOnLoopback(node)
  const server = quiesce(node, { ...policy, logger: false })
  return {
    port: portOf(node),
    begun: () => begun,
    listed: async () => {
      const [connection] = server.connections()
      return [connection?.inFlight.length ?? 0, connection?.moreInFlight ?? 0]
    },
    shutdown: server.shutdown
  }
}

export const floodedEffectApp = async (node: Node, answers: Answers, policy: Policy): Promise<FloodedServer> => {
  let begun = 0
  const app = Effect.flatMap(HttpServerRequest.HttpServerRequest, ({ url }) => {
    begun++
    const answer = Effect.sync(() => HttpServerResponse.text(urlIsBody(url)))
    return answers === "at once"
      ? answer
      : Effect.interruptible(answers === "never" ? Effect.never : Effect.zipRight(Effect.sleep(after[answers]), answer))
  })
  const scope = Effect.runSync(Scope.make())
  const context = await Effect.runPromise(
    Layer.buildWithScope(
      HttpServer.serve(app).pipe(
        Layer.provideMerge(NodeHttpServer.layer(() => node, { port: 0, host: "127.0.0.1", ...policy })),
        Layer.provide(Logger.remove(Logger.defaultLogger))
      ),
      scope
    )
  )
  const server = Context.get(context, Server.Server)
  return {
    port: portOf(node),
    begun: () => begun,
    listed: async () => {
      const [connection] = await Effect.runPromise(server.connections)
      return [connection?.inFlight.length ?? 0, connection?.moreInFlight ?? 0]
    },
    shutdown: async () => {
      const report = await Effect.runPromise(reportOf(server.shutdown))
      await Effect.runPromise(Effect.exit(Scope.close(scope, Exit.void)))
      return report
    }
  }
}

export type Api = "an Effect app" | "an adopted node:http server"

/** `timeout` and `killTimeout` of a server in a process of its own: it is to end within two seconds. */
export const childPolicy: Policy = { timeout: "1 second", killTimeout: "500 millis" }

export interface FloodedProcess {
  readonly api: Api
  readonly protocol: "http" | "https" | "h2c"
  /** It shuts down as soon as so many requests have reached a handler, which answers none of them. */
  readonly handlers: number
}

export interface Outcome {
  readonly listed: number
  readonly more: number
  readonly begun: number
  readonly outcome: Report["outcome"]
  readonly abandoned: number
  /** Of the requests that were cut. */
  readonly paths: ReadonlyArray<string>
  /** How long the shutdown has taken, in milliseconds, without the time in which others had the processors. */
  readonly millis: number
  /** How long the longest turn of the event loop has taken in it, in milliseconds. */
  readonly longest: number
  /** How long the longest turn takes where Node alone closes a connection with as many requests. */
  readonly nodes: number
}

/**
 * What the longest turn may take, in milliseconds: 100, or three times what Node takes to abort as many requests, which is
 * most of that turn, on a machine where that is longer.
 */
export const longestTurnBound = ({ nodes }: Outcome): number => Math.max(100, 3 * nodes)

/** Runs `use` with a server in a process of its own, which never answers. */
export const withFloodedProcess = (
  alone: FloodedProcess,
  use: (port: number, report: () => Promise<Outcome>) => Promise<void>
): Promise<void> =>
  withChild(new URL("fixtures/floodedServer.ts", import.meta.url), [JSON.stringify(alone)], async (child) => {
    const target = await child.listening()
    if (!("port" in target)) throw new Error("it listens on no port")
    await use(target.port, async () => await child.line("report", 30_000) as unknown as Outcome)
  })
