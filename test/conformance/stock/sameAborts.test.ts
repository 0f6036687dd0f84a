import { HttpApp, HttpServerRequest, HttpServerResponse } from "@effect/platform"
import { describe, it } from "@effect/vitest"
import { Effect, type Exit, Stream } from "effect"
import { Readable } from "node:stream"
import { expect } from "vitest"
import * as HttpRouter from "../../support/effect/httpRouter.js"
import { connect } from "../../support/rawClient.js"
import { waitFor } from "../../support/wait.js"
import { servers } from "./same/compare.js"
import { middlewares } from "./same/middlewares.js"
import { type App, exitText, type Journal, observe, type Served } from "./same/observe.js"

// A client that leaves before it has had its answer: the app, its middleware, its finalizers, its spans and its log see
// what they see with `@effect/platform-node`.

const { empty, raw, stream, text } = HttpServerResponse
const request = HttpServerRequest.HttpServerRequest
const noted = (journal: Journal, what: string) => Effect.sync(() => journal(what))
const exitNoted = (journal: Journal, what = "exit") => <A, E>(exit: Exit.Exit<A, E>) =>
  noted(journal, `${what}: ${exitText(exit)}`)

/** Says that it has begun, and then waits for ever. */
const waiting = (journal: Journal): Effect.Effect<never> =>
  Effect.zipRight(noted(journal, "begun"), Effect.interruptible(Effect.never))
const bytes = (size: number) => new Uint8Array(size).fill(97)

const apps: Record<string, App> = {
  "one that waits": (journal) => Effect.onExit(waiting(journal), exitNoted(journal)),
  "one that waits in a router": (journal) =>
    HttpRouter.empty.pipe(HttpRouter.all(
      "*",
      Effect.zipRight(
        noted(journal, "begun"),
        Effect.onExit(Effect.never, exitNoted(journal))
      )
    )),
  "one that waits, with finalizers": (journal) =>
    Effect.gen(function*() {
      yield* Effect.addFinalizer(exitNoted(journal, "first"))
      yield* Effect.addFinalizer((exit) => Effect.delay(exitNoted(journal, "second")(exit), 2))
      return yield* waiting(journal)
    }),
  "one that waits, whose finalizer dies": (journal) =>
    Effect.zipRight(Effect.addFinalizer(() => Effect.die("in the finalizer")), waiting(journal)),
  "one that waits within a span": (journal) => Effect.withSpan(waiting(journal), "inner", { captureStackTrace: false }),
  "one that waits, and answers all the same": (journal) =>
    Effect.catchAllCause(waiting(journal), () => Effect.succeed(empty({ status: 418 }))),
  "one that waits, and fails": (journal) => Effect.onInterrupt(waiting(journal), () => Effect.die(new Error("no"))),
  "one whose child waits": (journal) =>
    Effect.gen(function*() {
      yield* Effect.fork(Effect.interruptible(Effect.never).pipe(Effect.onExit(exitNoted(journal, "child"))))
      return yield* waiting(journal)
    }),
  "one whose child waits in its scope": (journal) =>
    Effect.gen(function*() {
      yield* Effect.forkScoped(Effect.interruptible(Effect.never).pipe(Effect.onExit(exitNoted(journal, "child"))))
      return yield* waiting(journal)
    }),
  "one that is deaf": (journal) =>
    Effect.zipRight(noted(journal, "begun"), Effect.as(Effect.sleep(150), empty({ status: 200 }))),
  "a pre-response handler that waits": (journal) =>
    Effect.zipRight(HttpApp.appendPreResponseHandler(() => waiting(journal)), text("hello")),
  "one that appends a handler, and waits": (journal) =>
    Effect.zipRight(
      HttpApp.appendPreResponseHandler((_, response) => Effect.as(noted(journal, `${response.status}`), response)),
      waiting(journal)
    ),
  "one that is through, but for a finalizer": (journal) =>
    Effect.zipRight(
      Effect.addFinalizer((exit) =>
        Effect.zipRight(noted(journal, "begun"), Effect.delay(exitNoted(journal)(exit), 150))
      ),
      text("hello")
    ),
  "a stream": (journal) =>
    stream(
      Stream.concat(Stream.make(bytes(10)), Stream.never).pipe(
        Stream.onStart(noted(journal, "begun")),
        Stream.ensuringWith(exitNoted(journal))
      )
    ),
  "a stream of more than is read": (journal) =>
    stream(
      Stream.repeatValue(bytes(50_000)).pipe(
        Stream.onStart(noted(journal, "begun")),
        Stream.ensuringWith(exitNoted(journal))
      )
    ),
  "a stream and its scope": (journal) =>
    Effect.gen(function*() {
      yield* Effect.addFinalizer(exitNoted(journal, "scope"))
      return HttpApp.unsafeEjectStreamScope(stream(
        Stream.concat(Stream.make(bytes(10)), Stream.never).pipe(Stream.onStart(noted(journal, "begun")))
      ))
    }),
  "a readable": (journal) =>
    Effect.sync(() => {
      const readable = new Readable({ read: () => {} })
      readable.push("some")
      readable.once("close", () => journal("closed"))
      journal("begun")
      return raw(readable)
    })
}

const readers: Record<string, App> = {
  "its text": (journal) => Effect.flatMap(request, (request) => reading(journal, request.text)),
  "its bytes": (journal) => Effect.flatMap(request, (request) => reading(journal, request.arrayBuffer)),
  "its json": (journal) => Effect.flatMap(request, (request) => reading(journal, request.json)),
  "its stream": (journal) => Effect.flatMap(request, (request) => reading(journal, Stream.runDrain(request.stream))),
  "its form": (journal) => Effect.flatMap(request, (request) => reading(journal, request.multipart)),
  "its stream, sent back": (journal) =>
    Effect.map(
      Effect.tap(request, () => noted(journal, "begun")),
      (request) => stream(Stream.ensuringWith(request.stream, exitNoted(journal)))
    ),
  "nothing of it": (journal) => Effect.onExit(waiting(journal), exitNoted(journal))
}

const reading = <A, E, R>(journal: Journal, body: Effect.Effect<A, E, R>) =>
  Effect.zipRight(noted(journal, "begun"), Effect.interruptible(body)).pipe(
    Effect.onExit((exit) => noted(journal, exitText(exit))),
    Effect.as(empty())
  )

/** A form is put into a folder, by fibers of its own: whether there are any by then is a matter of chance. */
const isCertain = (entry: unknown) => JSON.stringify(entry) !== "[\"fiber\",\"interrupt(-499)\"]"

type Leaving = "leave" | "abort" | "halfClose"
const leavings: ReadonlyArray<Leaving> = ["leave", "abort", "halfClose"]

/** What is seen of a client that sends this, and leaves once its handler has begun. */
const seenOf = ({ journal, port, quiet }: Served, sent: string, leaving: Leaving) =>
  Effect.gen(function*() {
    const before = journal.length
    yield* Effect.promise(async () => {
      const client = await connect({ port })
      await client.write(sent)
      await waitFor("the handler to begin", () => journal.includes("begun", before), 15_000)
      client[leaving]()
      await waitFor("the connection to be over", () => client.socket.destroyed || client.ending !== "open", 15_000)
    })
    yield* quiet
    return journal.slice(before)
  })

const headOf = (method: string, app: string, ...lines: ReadonlyArray<string>) =>
  [`${method} / HTTP/1.1`, "Host: example.test", `X-App: ${app}`, ...lines, "", ""].join("\r\n")

/** Of a fiber that the same event interrupts, and one that it lets go on, either may be first. */
const inAnyOrder = new Set(["one whose child waits", "one whose child waits in its scope"])

const combinations = [
  ["native", undefined],
  ["native", "logger"],
  ["recorded", "logger"],
  ["recorded", "what has happened"],
  ["off", "logger"]
] as const

describe("a client that leaves is seen as in @effect/platform-node", () => {
  for (const [tracing, middleware] of combinations) {
    const both = servers({
      tracing,
      app: (journal) => {
        const made = new Map(Object.entries({ ...apps, ...readers }).map(([name, app]) => [name, app(journal)]))
        return Effect.flatMap(request, ({ headers }) => made.get(headers["x-app"] ?? "") ?? empty({ status: 204 }))
      },
      middleware: middleware && middlewares[middleware]
    })
    const name = `with tracing ${tracing}, within ${middleware ?? "nothing"}`

    it.scopedLive(`while it waits for the answer, or has some of it, ${name}`, () =>
      Effect.gen(function*() {
        const [stock, own] = yield* both
        for (const app of Object.keys(apps)) {
          for (const leaving of leavings) {
            const sent = headOf("GET", app)
            const [expected, seen] = yield* Effect.all([seenOf(stock, sent, leaving), seenOf(own, sent, leaving)])
            const ordered = (journal: ReadonlyArray<unknown>) =>
              inAnyOrder.has(app) ? journal.map((entry) => JSON.stringify(entry)).toSorted() : journal
            expect(ordered(seen), `${app}, ${leaving}`).toEqual(ordered(expected))
          }
        }
      }), 60_000)

    it.scopedLive(`while it sends its body, ${name}`, () =>
      Effect.gen(function*() {
        const [stock, own] = yield* both
        for (const app of Object.keys(readers)) {
          for (const leaving of leavings) {
            for (const framing of ["Content-Length: 100", "Transfer-Encoding: chunked"]) {
              const type = app === "its form" ? "multipart/form-data; boundary=b" : "text/plain"
              const sent = `${headOf("POST", app, framing, `Content-Type: ${type}`)}3\r\nabc\r\n`
              const [expected, seen] = yield* Effect.all([seenOf(stock, sent, leaving), seenOf(own, sent, leaving)])
              expect(seen.filter(isCertain), `${app}, ${leaving}, ${framing}`).toEqual(expected.filter(isCertain))
            }
          }
        }
      }), 60_000)

    it.scopedLive(`before its request is whole, ${name}`, () =>
      Effect.gen(function*() {
        const [stock, own] = yield* both
        for (const served of [stock, own]) {
          for (const leaving of leavings) {
            yield* Effect.promise(async () => {
              const client = await connect({ port: served.port })
              await client.write("GET / HTTP/1.1\r\nHost: exam")
              client[leaving]()
            })
          }
        }
        const whole = headOf("GET", "", "Connection: close")
        const [expected, seen] = yield* Effect.all([observe(stock, whole), observe(own, whole)])
        expect(seen).toEqual(expected)
        expect(own.journal).toEqual(stock.journal)
      }))
  }
})
