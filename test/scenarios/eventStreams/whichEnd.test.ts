/** Which answers end when draining starts: event streams whose client connects again, and no others. */
import { HttpServerRequest, HttpServerResponse } from "@effect/platform"
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Stream } from "effect"
import { METHODS } from "node:http"
import { answer, client, ended, get, post, send, serving as servingApp } from "../../support/running.js"
import { deferred, waitFor } from "../../support/wait.js"
import { type Handler, limit, protocols, read, serving } from "./eventStreamServer.js"

// Pins internal/node: headOf

const events = { "content-type": "text/event-stream" }

/** What the request says that it accepts, and whether its stream ends with the drain. */
const accepting: ReadonlyArray<readonly [accept: string | undefined, ends: boolean]> = [
  ["text/event-stream", true],
  ["TEXT/Event-Stream", true],
  ["application/json, text/event-stream;q=0.1", true],
  ["text/event-stream; charset=utf-8", true],
  ["text/*", true],
  // curl, fetch
  ["*/*", true],
  ["application/json, text/plain, */*", true],
  ["text/html, *; q=.2", true],
  [undefined, true],
  ["", true],
  ["application/json", false],
  ["application/x-ndjson, text/html", false],
  ["text/event-stream;q=0", false],
  ["text/event-stream;q=0, */*", false],
  ["text/event-stream; q=0.0, text/*;q=1", false],
  ["*/*;q=0", false],
  ["text/event-streaming", false]
]

/** Writes an event, and the last one when it may. */
const finite = (headers: Record<string, string>) => {
  const goOn = deferred()
  const handler: Handler = (_, response) => {
    response.writeHead(200, headers)
    response.write("data: 1\n\n")
    void goOn.promise.then(() => {
      response.write("data: [DONE]\n\n")
      response.end()
    })
  }
  return { handler, goOn }
}

describe("a GET on an adopted server", () => {
  it.each(accepting)("that accepts %j ends early: %j", async (accept, ends) => {
    const { goOn, handler } = finite(events)
    const { port, server, stop } = await serving("http", handler)
    const reader = read("http", port, { accept })
    await reader.untilText("data: 1")
    const stopped = stop()
    if (!ends) {
      // long enough for one that ends early to have done so
      const other = await serving("http", handler)
      const endless = read("http", other.port)
      await endless.untilText("data: 1")
      await other.stop()
      assert.strictEqual(reader.ending(), "open")
      goOn.resolve()
    }
    assert.strictEqual(await reader.untilEnded(), "whole")
    assert.strictEqual(reader.text(), ends ? "data: 1\n\n" : "data: 1\n\ndata: [DONE]\n\n")
    const report = await stopped
    assert.deepStrictEqual(report.endedStreams.map(({ method, path }) => [method, path]), ends ? [["GET", "/"]] : [])
    assert.deepStrictEqual([report.outcome, report.cut.length, report.served], ["Drained", 0, 1])
    assert.strictEqual(server.phase(), "Closed")
  })
})

describe.each(protocols)("over %s", (protocol) => {
  it.each(
    [
      ["a POST", "POST", events],
      ["a PUT", "PUT", events],
      // the parser of Node 20.18 does not know it
      ...(METHODS.includes("QUERY") ? [["a QUERY", "QUERY", events] as const] : []),
      ["lines of JSON", "GET", { "content-type": "application/x-ndjson" }],
      ["a type that only begins so", "GET", { "content-type": "text/event-streams" }],
      ["an event stream of a known length", "GET", { ...events, "content-length": "23" }]
    ] as const
  )("%s runs to its own end", async (_, method, headers) => {
    const { goOn, handler } = finite(headers)
    const { lines, port, server, stop } = await serving(protocol, handler)
    server.onShutdown("goes on", () => void setTimeout(goOn.resolve, 100))
    const reader = read(protocol, port, { method, accept: "text/event-stream" })
    await reader.untilText("data: 1")
    const report = await stop()
    assert.strictEqual(await reader.untilEnded(), "whole")
    assert.strictEqual(reader.text(), "data: 1\n\ndata: [DONE]\n\n")
    assert.deepStrictEqual([report.outcome, report.cut, report.endedStreams], ["Drained", [], []])
    assert.notInclude(lines.join("\n"), "event stream")
  })

  it("a POST that never ends is cut at the deadline", async () => {
    const { handler } = finite(events)
    const { port, stop } = await serving(protocol, handler, { timeout: 200, killTimeout: 50 })
    const reader = read(protocol, port, { method: "POST", accept: "text/event-stream" })
    await reader.untilText("data: 1")
    const { cut, endedStreams, outcome } = await stop()
    assert.strictEqual(await reader.untilEnded(), "cut")
    assert.deepStrictEqual([outcome, endedStreams], ["DeadlineExceeded", []])
    assert.deepStrictEqual(cut.map(({ clientReceived, method }) => [method, clientReceived]), [["POST", "truncated"]])
  })

  it("a policy may leave event streams to the deadline", async () => {
    const { handler } = finite(events)
    const { port, stop } = await serving(protocol, handler, { timeout: 200, killTimeout: 50, endEventStreams: false })
    const reader = read(protocol, port, { accept: "text/event-stream" })
    await reader.untilText("data: 1")
    const { cut, endedStreams } = await stop()
    assert.strictEqual(await reader.untilEnded(), "cut")
    assert.deepStrictEqual([cut.length, endedStreams], [1, []])
  })

  it("one that has begun while the lame duck lasted ends with the drain, and not before", async () => {
    const { handler } = finite(events)
    const { port, server, stop } = await serving(protocol, handler, { lameDuck: 300 })
    const first = read(protocol, port, { accept: "text/event-stream" })
    await first.untilText("data: 1")
    const stopped = stop()
    const second = read(protocol, port, { accept: "text/event-stream", path: "/second" })
    await second.untilText("data: 1")
    assert.deepStrictEqual([server.phase(), first.ending(), second.ending()], ["LameDuck", "open", "open"])
    const { endedStreams } = await stopped
    assert.deepStrictEqual([await first.untilEnded(), await second.untilEnded()], ["whole", "whole"])
    assert.deepStrictEqual(endedStreams.map(({ path }) => path).toSorted(), ["/", "/second"])
  })

  it("one that begins in the drain ends when what came with its head has been sent", async () => {
    let begun = 0
    const goOn = deferred()
    const { port, server, stop } = await serving(protocol, (_, response) => {
      begun++
      void goOn.promise.then(() => {
        response.setHeader("content-type", "text/event-stream;charset=utf-8")
        response.write("retry: 10\n\n")
        response.write("data: 1\n\n")
      })
    })
    const reader = read(protocol, port, { accept: "text/event-stream" })
    await waitFor("the request to arrive", () => begun > 0, limit)
    server.onShutdown("a moment", () => void setTimeout(goOn.resolve, 200))
    const { cut, endedStreams } = await stop()
    assert.strictEqual(await reader.untilEnded(), "whole")
    assert.strictEqual(reader.text(), "retry: 10\n\ndata: 1\n\n")
    assert.deepStrictEqual([cut, endedStreams.length], [[], 1])
  })
})

it("the log names what was ended", async () => {
  const { handler } = finite(events)
  const { lines, port, stop } = await serving("http", handler)
  const reader = read("http", port, { path: "/ticks", accept: "text/event-stream" })
  await reader.untilText("data: 1")
  await stop()
  assert.match(
    lines.at(-1) ?? "",
    /1 event stream ended, to be opened again elsewhere \(GET \/ticks from 127\.0\.0\.1:\d+/
  )
})

describe("a stream of an Effect app", () => {
  const app = (goOn: Deferred.Deferred<void>) =>
    Effect.map(HttpServerRequest.HttpServerRequest, () =>
      HttpServerResponse.stream(
        Stream.encodeText(Stream.concat(
          Stream.make("data: 1\n\n"),
          Stream.fromEffect(Effect.as(Deferred.await(goOn), "data: [DONE]\n\n"))
        )),
        { contentType: "text/event-stream" }
      ))

  for (
    const [name, request, ends] of [
      ["a GET of an EventSource", get("/", "Accept: text/event-stream"), true],
      ["a GET that accepts anything", get("/", "Accept: */*"), true],
      ["a GET that accepts JSON", get("/", "Accept: application/json"), false],
      ["a POST", post("/", "{}", "Accept: text/event-stream"), false]
    ] as const
  ) {
    it.scoped(`that answers ${name} ends early: ${ends}`, () =>
      Effect.gen(function*() {
        const goOn = yield* Deferred.make<void>()
        const running = yield* servingApp(app(goOn), { idleGrace: 0 })
        const reader = yield* client(running.target)
        yield* send(reader, request)
        yield* Effect.promise(() => reader.untilText("data: 1", 15_000))
        yield* running.drain
        if (!ends) {
          yield* Effect.promise(() => new Promise((resolve) => setTimeout(resolve, 150)))
          assert.strictEqual(reader.ending, "open")
          yield* Deferred.succeed(goOn, undefined)
        }
        assert.strictEqual((yield* answer(reader)).body, ends ? "data: 1\n\n" : "data: 1\n\ndata: [DONE]\n\n")
        yield* ended(reader)
        const report = yield* running.report
        assert.deepStrictEqual([report.cut, report.endedStreams.length, report.served], [[], ends ? 1 : 0, 1])
      }))
  }
})
