/** A request that was cut, by `close` (a second Ctrl-C) or at the deadline, is nowhere one that was served. */
import { HttpServer, HttpServerResponse } from "@effect/platform"
import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Exit, Fiber, Layer, Scope, Stream } from "effect"
import { createServer, type Server as NodeServer } from "node:http"
import { createServer as createServer2 } from "node:http2"
import { type Connection, Metrics, NodeHttpServer, Server } from "../../../src/index.js"
import { registrySnapshot } from "../../../src/internal/effect/metrics.js"
import { protocols, read, serving as adopted } from "../../scenarios/eventStreams/eventStreamServer.js"
import { deadlineExceededIn, launch, limit, reportOf, targetOf, until } from "../../support/running.js"
import { waitFor } from "../../support/wait.js"
import { collectLog } from "./collectLog.js"

/** What has been counted of a server, with that label where there is one. */
const counted = (server: string, metric: string, label?: string): ReadonlyArray<number> =>
  Effect.runSync(registrySnapshot).flatMap(({ labels, name, state }) => {
    const values = labels.map(([, value]) => value)
    const isThis = name === metric && values.includes(server) && (label === undefined || values.includes(label))
    return isThis && state.kind === "counter" ? [Number(state.count)] : []
  })

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

describe.each(["http", "h2c"] as const)(
  "a request over %s that no handler is there for, and that gets 503,",
  (protocol) => {
    it.scoped("is cut, in report, log and metrics, where it waited for an app as the shutdown began", () => {
      const log = collectLog()
      return Effect.gen(function*() {
        const scope = yield* Scope.make()
        const context = yield* Layer.buildWithScope(
          Layer.provideMerge(
            Metrics.layer({ server: `waits-${protocol}` }),
            NodeHttpServer.layerServer(servers[protocol], { host: "127.0.0.1", port: 0 })
          ),
          scope
        )
        const server = Context.get(context, Server.Server)
        const target = targetOf(Context.get(context, HttpServer.HttpServer).address)
        const reader = read(protocol, "port" in target ? target.port : 0)
        yield* until("the request", () => Effect.runSync(server.connections)[0]?.inFlight.length === 1)
        const exit = yield* Effect.exit(Scope.close(scope, Exit.void))
        const report = deadlineExceededIn(exit)!.report
        yield* Effect.promise(() => reader.untilEnded())
        assert.strictEqual(reader.status(), 503)
        assert.deepStrictEqual(report.cut.map(({ by, clientReceived }) => [by, clientReceived]), [["noHandler", "503"]])
        assert.deepInclude(report, { served: 0, outcome: "Cut" })
        assert.deepInclude(report.connections, { cut: 0, completed: 1 })
        assert.match(
          String(log.find(/^Shut down in/)?.message),
          /\(Cut\): 0 requests answered since it began; 1 request cut; cut GET \/ from 127\S+ after \S+ \(its client received 503; no handler was there for it\)$/
        )
        assert.deepStrictEqual(counted(`waits-${protocol}`, "quiesce_requests_served_total"), [0])
        assert.deepStrictEqual(counted(`waits-${protocol}`, "quiesce_requests_cut_total", "503"), [1])
      }).pipe(Effect.provide(log.layer))
    })
  }
)

it.scoped("a request that got 503 as nobody listens for any has not been served, and is of no later shutdown", () =>
  Effect.gen(function*() {
    const context = yield* Layer.build(Server.layer())
    const server = Context.get(context, Server.Server)
    const { address } = yield* server.listen(() => createServer(), { host: "127.0.0.1", port: 0 })
    const target = targetOf(address)
    const reader = read("http", "port" in target ? target.port : 0)
    yield* Effect.promise(() => reader.untilEnded())
    assert.strictEqual(reader.status(), 503)
    const report = yield* server.shutdown
    assert.deepInclude(report, { served: 0, outcome: "Drained", cut: [] })
  }))
