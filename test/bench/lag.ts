/**
 * How long a shutdown goes on after the last response has left: one request in flight, which ends at a random moment
 * of the poll schedule.
 */
import { HttpServer, HttpServerResponse } from "@effect/platform"
import { Context, Effect, Exit, Layer, Logger, Scope } from "effect"
import * as Http from "node:http"
import { NodeHttpServer, Server } from "../../src/index.js"
import { spread, table } from "./table.js"

const once = async (phase: number): Promise<{ readonly toClient: number; readonly toScope: number }> => {
  const scope = Effect.runSync(Scope.make())
  let arrived = () => {}
  const inFlight = new Promise<void>((resolve) => {
    arrived = resolve
  })
  let finishedAt = Number.NaN
  const node = Http.createServer()
  node.on("request", (_, response: Http.ServerResponse) =>
    response.once("finish", () => {
      finishedAt = performance.now()
    }))
  const context = await Effect.runPromise(
    Layer.buildWithScope(
      HttpServer.serve(
        Effect.zipRight(Effect.sync(() => arrived()), Effect.delay(HttpServerResponse.text("done"), phase))
      ).pipe(
        Layer.provideMerge(NodeHttpServer.layer(() => node, { host: "127.0.0.1", port: 0 })),
        Layer.provide(Logger.remove(Logger.defaultLogger))
      ),
      scope
    )
  )
  const { address } = Context.get(context, HttpServer.HttpServer)
  const server = Context.get(context, Server.Server)
  const answer = fetch(`http://127.0.0.1:${address._tag === "TcpAddress" ? address.port : 0}/`)
  const read = answer.then((response) => response.text()).then(() => performance.now())
  await inFlight
  await Effect.runPromise(server.shutdown)
  const shutDownAt = performance.now()
  await Effect.runPromise(Scope.close(scope, Exit.void))
  return { toClient: shutDownAt - await read, toScope: shutDownAt - finishedAt }
}

export const run = async (rounds = 60): Promise<void> => {
  const lags: Array<{ readonly toClient: number; readonly toScope: number }> = []
  await once(20)
  for (let round = 0; round < rounds; round++) lags.push(await once(20 + Math.floor(Math.random() * 1200)))
  table(`From the last response to the end of the shutdown, ${rounds} random phases`, ["since", "ms"], [
    ["the response was handed to the kernel", spread(lags.map((_) => _.toScope), 2)],
    ["the client had read it (same process)", spread(lags.map((_) => _.toClient), 2)]
  ])
}
