/** A request that was cut, by `close` (a second Ctrl-C) or at the deadline, is nowhere one that was served. */
import { HttpServer, HttpServerResponse } from "@effect/platform"
import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Fiber, Layer, Stream } from "effect"
import { createServer, type Server as NodeServer } from "node:http"
import { createServer as createServer2 } from "node:http2"
import { type Connection, NodeHttpServer } from "../../../src/index.js"
import { protocols, read, serving as adopted } from "../../scenarios/eventStreams/eventStreamServer.js"
import { launch, limit, reportOf, targetOf, until } from "../../support/running.js"
import { waitFor } from "../../support/wait.js"

const servers = {
  http: () => createServer(),
  h2c: () => createServer2() as unknown as NodeServer
}

describe.each(["http", "h2c"] as const)("a request of an Effect app over %s", (protocol) => {
  for (const how of ["closed", "past the deadline"] as const) {
    for (
      const [handler, effect] of [["answers 503", Effect.interruptible(Effect.never)], [
        "is deaf",
        Effect.never
      ]] as const
    ) {
      it.scoped(`whose handler ${handler} when it is ${how} has not been served`, () =>
        Effect.gen(function*() {
          let begun = 0
          const app = Effect.suspend(() => {
            begun++
            return Effect.as(effect, HttpServerResponse.text("never"))
          })
          const running = yield* launch(
            HttpServer.serve(app).pipe(
              Layer.provideMerge(NodeHttpServer.layer(servers[protocol], {
                host: "127.0.0.1",
                port: 0,
                timeout: how === "closed" ? 5000 : 0,
                killTimeout: 0
              }))
            ),
            (context) => targetOf(Context.get(context, HttpServer.HttpServer).address)
          )
          const { server, target } = running
          const seen: Array<Connection.Connection> = []
          const events = yield* Effect.fork(Stream.runForEach(server.events, (event) =>
            Effect.sync(() => {
              if (event._tag === "ConnectionChanged") seen.push(event.connection)
            })))
          yield* Effect.yieldNow()
          const reader = read(protocol, "port" in target ? target.port : 0)
          yield* until("the request", () => begun === 1)
          const report = yield* how === "closed" ? server.close : reportOf(server.shutdown)
          yield* Fiber.join(events)
          assert.deepStrictEqual(report.cut.map(({ clientReceived }) => clientReceived), ["503"])
          assert.deepStrictEqual([report.served, report.outcome], [0, how === "closed" ? "Closed" : "DeadlineExceeded"])
          assert.isAbove(seen.length, 0)
          assert.deepStrictEqual(seen.filter(({ served }) => served > 0), [])
          yield* Effect.promise(() => reader.untilEnded())
          assert.strictEqual(reader.status(), 503)
        }))
    }
  }
})

describe.each(protocols)("a request of a plain handler over %s", (protocol) => {
  it("that is cut by close has not been served", async () => {
    let begun = 0
    const { port, server } = await adopted(protocol, () => {
      begun++
    })
    const reader = read(protocol, port)
    await waitFor("the request", () => begun === 1, limit)
    const { cut, outcome, served } = await waitFor("the report", server.close(), limit)
    assert.deepStrictEqual([cut.map(({ clientReceived }) => clientReceived), outcome, served], [["503"], "Closed", 0])
    await reader.untilEnded()
  })
})
