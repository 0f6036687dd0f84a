import { HttpServerRequest, HttpServerResponse } from "@effect/platform"
import { assert, it } from "@effect/vitest"
import { Deferred, Effect, Stream, TestClock } from "effect"
import * as HttpRouter from "../../support/effect/httpRouter.js"
import { get } from "../../support/httpRequests.js"
import { connect } from "../../support/rawClient.js"
import { limit, serving, until } from "../../support/running.js"

const policy = { timeout: "10 seconds", killTimeout: "5 seconds", idleGrace: "1 minute" } as const

const bodies = {
  Stream: HttpServerResponse.stream(Stream.encodeText(Stream.make("whole"))),
  FormData: Effect.runSync(Effect.sync(() => {
    const form = new FormData()
    form.append("field", "whole")
    return HttpServerResponse.formData(form)
  }))
}

for (const [name, body] of Object.entries(bodies)) {
  it.scoped(`a ${name} body that a deaf handler returns after the deadline is a 503, and not empty and whole`, () =>
    Effect.gen(function*() {
      const app = yield* serving(Effect.delay(Effect.succeed(body), "12 seconds"), policy)
      const client = yield* Effect.promise(() => connect(app.target))
      yield* Effect.promise(() => client.write(get("/")))
      yield* until("the request", () => Effect.runSync(app.server.connections)[0]?.state === "Active")
      yield* app.drain
      yield* TestClock.adjust("10 seconds")
      yield* TestClock.adjust("2 seconds")
      const { responses } = yield* Effect.promise(() => client.untilResponses(1, limit))
      assert.strictEqual(responses[0]?.status, 503)
      const report = yield* app.report
      assert.strictEqual(report.outcome, "DeadlineExceeded")
      assert.deepStrictEqual(report.cut.map(({ clientReceived }) => clientReceived), ["503"])
      assert.strictEqual(report.served, 0)
    }))
}

it.scoped("a request that arrives after the deadline is answered with 503, and runs no handler", () =>
  Effect.gen(function*() {
    const ran: Array<string> = []
    const holding = yield* Deferred.make<void>()
    const app = yield* serving(
      Effect.flatMap(HttpServerRequest.HttpServerRequest, ({ url }) => {
        ran.push(url)
        return url === "/hold"
          ? Effect.zipRight(Deferred.succeed(holding, undefined), Effect.never)
          : Effect.succeed(HttpServerResponse.text(url))
      }),
      policy
    )
    const late = yield* Effect.promise(() => connect(app.target))
    yield* Effect.promise(() => late.write(get("/early")))
    yield* Effect.promise(() => late.untilResponses(1, limit))
    const held = yield* Effect.promise(() => connect(app.target))
    yield* Effect.promise(() => held.write(get("/hold")))
    yield* Deferred.await(holding)
    yield* app.drain
    yield* TestClock.adjust("10 seconds")
    yield* Effect.promise(() => late.write(get("/late")))
    const { responses } = yield* Effect.promise(() => late.untilResponses(2, limit))
    assert.strictEqual(responses[1]?.status, 503)
    assert.strictEqual(responses[1]?.headers["connection"], "close")
    yield* TestClock.adjust("5 seconds")
    const report = yield* app.report
    assert.deepStrictEqual(ran, ["/early", "/hold"])
    assert.deepStrictEqual(report.cut.map(({ path }) => path), ["/hold"])
  }))

it.scoped("a request to upgrade that is interrupted at the deadline is in the report", () =>
  Effect.gen(function*() {
    const app = yield* serving(
      Effect.catchAll(HttpRouter.empty.pipe(HttpRouter.get("/", Effect.never)), () =>
        Effect.succeed(HttpServerResponse.empty())),
      policy
    )
    const client = yield* Effect.promise(() =>
      connect(app.target)
    )
    yield* Effect.promise(() =>
      client.write("GET / HTTP/1.1\r\nHost: test\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n")
    )
    yield* until("the request", () => Effect.runSync(app.server.connections)[0]?.state === "Active")
    yield* app.drain
    yield* TestClock.adjust("10 seconds")
    const { responses } = yield* Effect.promise(() => client.untilResponses(1, limit))
    assert.strictEqual(responses[0]?.status, 503)
    const report = yield* app.report
    assert.deepStrictEqual(report.cut.map(({ clientReceived, path }) => [path, clientReceived]), [["/", "503"]])
    assert.strictEqual(report.served, 0)
  }))

const silent = HttpServerResponse.stream(Stream.never)
const begun = HttpServerResponse.stream(Stream.concat(Stream.make(new Uint8Array([120])), Stream.never))

for (
  const [why, answers] of [
    ["because its first bytes have not come", { "/silent": "none" }],
    ["because it waits for its turn", { "/never": "503", "/begun": "none" }]
  ] as const
) {
  it.scoped(`a response stream of which nothing has been sent, ${why}, is reported as none`, () =>
    Effect.gen(function*() {
      let running = 0
      const app = yield* serving(
        Effect.flatMap(HttpServerRequest.HttpServerRequest, ({ url }) => {
          running++
          return url === "/never"
            ? Effect.interruptible(Effect.never)
            : Effect.succeed(url === "/begun" ? begun : silent)
        }),
        policy
      )
      const client = yield* Effect.promise(() => connect(app.target))
      yield* Effect.promise(() => client.write(Object.keys(answers).map((path) => get(path)).join("")))
      yield* until("the requests", () => running === Object.keys(answers).length)
      yield* app.drain
      yield* TestClock.adjust("10 seconds")
      yield* Effect.promise(() => client.untilEnded(limit))
      const report = yield* app.report
      assert.deepStrictEqual(
        Object.fromEntries(report.cut.map(({ clientReceived, path }) => [path, clientReceived])),
        answers
      )
      assert.notInclude(client.text(), " 200 ")
    }))
}
