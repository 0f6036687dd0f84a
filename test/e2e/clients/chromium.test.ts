/** A page in Chromium through a shutdown: what its `fetch`, `EventSource` and `WebSocket` saw. */
import { HttpServerRequest, HttpServerResponse } from "@effect/platform"
import { assert, it } from "@effect/vitest"
import { Duration, Effect, Stream } from "effect"
import type { Shutdown } from "../../../src/index.js"
import { describeWith } from "../../support/describeWith.js"
import * as HttpRouter from "../../support/effect/httpRouter.js"
import type { Wire } from "../../support/nodeServer.js"
import { chromium } from "../../support/program.js"
import { silent, until } from "../../support/running.js"
import { receive, writerOf } from "../../support/sockets.js"
import { waitFor } from "../../support/wait.js"
import { open, type Page } from "./browser.js"
import { makeWork, served, type Site, type Work } from "./serverOnWire.js"

/**
 * The page keeps an account of what it saw, in `seen`. The connection that it opens in advance, for requests without
 * credentials, is never used.
 */
const html = `<!doctype html>
<title>drain</title>
<link rel="icon" href="data:,">
<link rel="preconnect" href="/" crossorigin>
<script>
  const seen = []
  const see = (...what) => seen.push(what.join(" "))

  const runAll = () => {
    fetch("/slow").then(async (response) => see("fetch", response.status, await response.text()))
      .catch((error) => see("fetch", error))

    const events = new EventSource("/events")
    events.onmessage = ({ data }) => see("event", data)
    events.onerror = () => see("events", ["CONNECTING", "OPEN", "CLOSED"][events.readyState])

    const socket = new WebSocket(location.origin.replace("http", "ws") + "/socket")
    socket.onopen = () => socket.send("hello")
    socket.onmessage = ({ data }) => see("message", data)
    socket.onclose = ({ code, reason, wasClean }) => see("close", code, reason, wasClean)
  }

  /** Six at a time post one number after the other, until the server is not there any more. */
  let sent = 0
  const answered = []
  const post = async () => {
    while (true) {
      const number = String(sent++)
      try {
        const response = await fetch("/numbers", { method: "POST", body: number })
        if (await response.text() === "got " + number) answered.push(number)
        else return see("post", number, response.status)
      } catch (error) {
        return see("post", error)
      }
    }
  }
  let posting
  const postAll = () => {
    posting = Promise.all(Array.from({ length: 6 }, post))
  }
</script>`

const encoder = new TextEncoder()

const app = (name: string, work: Work) =>
  HttpRouter.empty.pipe(
    HttpRouter.get("/", HttpServerResponse.html(html)),
    HttpRouter.get(
      "/slow",
      Effect.suspend(() => {
        work.ran("slow")
        return Effect.as(Effect.promise(() => work.released), HttpServerResponse.text(`slow, of ${name}`))
      })
    ),
    HttpRouter.get(
      "/events",
      Effect.map(HttpServerRequest.HttpServerRequest, ({ headers }) => {
        const first = `retry: 100\nid: ${name}\ndata: ${name} after ${headers["last-event-id"] ?? "nobody"}\n\n`
        return HttpServerResponse.stream(Stream.concat(Stream.make(encoder.encode(first)), Stream.never), {
          contentType: "text/event-stream"
        })
      })
    ),
    HttpRouter.get(
      "/socket",
      Effect.gen(function*() {
        const socket = yield* Effect.flatMap(HttpServerRequest.HttpServerRequest, ({ upgrade }) => upgrade)
        const write = yield* writerOf(socket)
        yield* Effect.ignore(receive(socket, (message) => write(message)))
        return HttpServerResponse.empty()
      }).pipe(Effect.scoped)
    ),
    HttpRouter.post(
      "/numbers",
      Effect.gen(function*() {
        const number = yield* Effect.flatMap(HttpServerRequest.HttpServerRequest, ({ text }) => text)
        work.ran(number)
        return yield* Effect.delay(Effect.succeed(HttpServerResponse.text(`got ${number}`)), work.executed.length % 5)
      })
    )
  )

const seenBy = (page: Page) => Effect.map(page.evaluate("seen"), (seen) => seen as ReadonlyArray<string>)

/** Waits until the page has seen all of this. */
const untilSeen = (page: Page, ...wanted: ReadonlyArray<string>) =>
  Effect.promise(() => {
    let seen: ReadonlyArray<string> = []
    const look = async (): Promise<void> => {
      seen = await Effect.runPromise(seenBy(page))
      if (!wanted.every((what) => seen.includes(what))) return look()
    }
    return waitFor(() => `the page to see ${wanted.join("; ")}, but it saw ${seen.join("; ")}`, look(), 10_000)
  })

const wires: Readonly<Record<string, Wire>> = { "HTTP/1.1": "http", "HTTP/2 over TLS": "h2" }

/** The connection that was opened in advance is there. */
const untilSpare = ({ server }: Site) =>
  until(
    "a connection on which nothing was sent",
    () => Effect.runSync(server.connections).some(({ state }) => state === "New")
  )

const policy: Shutdown.Policy = { timeout: "60 seconds", newConnectionGrace: "200 millis" }

/** A browser has to start, on a busy machine. */
const limit = 90_000

describeWith(chromium, () => {
  for (const [protocol, wire] of Object.entries(wires)) {
    it.scopedLive(
      `${protocol}: a page sees its fetch answered, its events end and its WebSocket close with 1001`,
      () =>
        Effect.gen(function*() {
          const work = makeWork()
          const first = yield* served(wire, app("first", work), policy)
          const page = yield* open(`${first.origin}/`)
          yield* page.evaluate("runAll()")
          yield* untilSeen(page, "event first after nobody", "message hello")
          yield* work.untilRan(1)
          yield* untilSpare(first)
          yield* first.drain
          yield* untilSeen(page, "events CONNECTING", "close 1001 the server is shutting down true")
          assert.strictEqual(yield* first.server.phase.get, "Draining")

          // the next one is there already, as in a rolling update
          const { port } = new URL(first.origin)
          yield* served(wire, app("second", makeWork()), { ...policy, port: Number(port) })
          yield* untilSeen(page, "event second after first")

          yield* work.release
          const released = performance.now()
          const report = yield* first.report
          assert.isBelow(performance.now() - released, 3000)
          yield* untilSeen(page, "fetch 200 slow, of first")
          assert.deepStrictEqual([report.outcome, report.cut, report.forceClosed], ["Drained", [], []])
          assert.isAtLeast(report.connections.idleClosed, 1)
        }).pipe(Effect.provide(silent)),
      limit
    )

    it.scopedLive(
      `${protocol}: of what a busy page sends, all that was executed was answered`,
      () =>
        Effect.gen(function*() {
          const work = makeWork()
          const { origin, stop } = yield* served(wire, app("first", work), policy)
          const page = yield* open(`${origin}/`)
          yield* page.evaluate("postAll()")
          yield* work.untilRan(200)
          const report = yield* stop
          yield* page.evaluate("posting")
          assert.deepStrictEqual(
            yield* seenBy(page),
            Array.from({ length: 6 }, () => "post TypeError: Failed to fetch")
          )
          const answered = (yield* page.evaluate("answered")) as ReadonlyArray<string>
          assert.deepStrictEqual(answered.toSorted(), work.executed.toSorted())
          assert.strictEqual(report.outcome, "Drained")
          assert.isBelow(Duration.toMillis(report.duration), 5000)
        }).pipe(Effect.provide(silent)),
      limit
    )

    it.scopedLive(
      `${protocol}: at the deadline a page sees a 503, and its events break off`,
      () =>
        Effect.gen(function*() {
          const work = makeWork()
          const hurried = { timeout: "300 millis", killTimeout: "300 millis", endEventStreams: false } as const
          const { origin, stop } = yield* served(wire, app("first", work), hurried)
          const page = yield* open(`${origin}/`)
          yield* page.evaluate("runAll()")
          yield* untilSeen(page, "event first after nobody", "message hello")
          yield* work.untilRan(1)
          const report = yield* stop
          yield* untilSeen(page, "fetch 503 ", "events CONNECTING", "close 1001 the server is shutting down true")
          assert.deepStrictEqual(
            report.cut.map(({ clientReceived, path }) => `${path} ${clientReceived}`).toSorted(),
            ["/events truncated", "/slow 503"]
          )
        }).pipe(Effect.provide(silent)),
      limit
    )
  }
})
