/** A server with its health on its own router, and on an admin listener; stopped as `runMain` does it. */
import * as HttpServer from "@effect/platform/HttpServer"
import type * as HttpServerRequest from "@effect/platform/HttpServerRequest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import { createServer } from "node:http"
import { Admin, Health, NodeHttpServer, type Shutdown } from "../../../src/index.js"
import * as HttpRouter from "../../support/effect/httpRouter.js"
import type { Target } from "../../support/rawClient.js"
import { launch, type Running, targetOf } from "../../support/running.js"

export interface AppWithHealth extends Running<HttpServer.HttpServer | Admin.Admin | Health.Health> {
  readonly admin: Target
  readonly health: Health.HealthService
}

export interface AppWithHealthOptions extends Shutdown.Policy {
  readonly node?: (() => NodeHttpServer.HttpNodeServer) | undefined
  readonly admin?: Admin.Options | undefined
  /** Built before the app. */
  readonly checks?: Layer.Layer<never, Shutdown.InvalidPolicy, Health.Health> | undefined
}

export const launchWithHealth = <E>(
  app: HttpRouter.HttpRouter<E, HttpServerRequest.HttpServerRequest>,
  { admin, checks, node, ...policy }: AppWithHealthOptions = {}
): Effect.Effect<AppWithHealth, unknown, Scope.Scope> =>
  Effect.suspend(() => {
    const server = (node ?? createServer)()
    const layer = app.pipe(
      HttpRouter.concat(Health.router()),
      HttpServer.serve(),
      Layer.provide(checks ?? Layer.empty),
      Layer.provideMerge(Admin.layer(admin ?? { port: 0 })),
      Layer.provideMerge(Health.layer),
      Layer.provideMerge(
        NodeHttpServer.layer(() => server, { host: "127.0.0.1", port: 0, ...policy })
      )
    )
    return Effect.map(
      launch(layer, (context) => targetOf(Context.get(context, HttpServer.HttpServer).address), () => server.listening),
      (running) => ({
        ...running,
        admin: targetOf(Context.get(running.context, Admin.Admin).address),
        health: Context.get(running.context, Health.Health)
      })
    )
  })
