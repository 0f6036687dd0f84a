import { HttpServer, HttpServerResponse } from "@effect/platform"
import { NodeContext, NodeHttpServer as Stock } from "@effect/platform-node"
import { describe, expect, it } from "@effect/vitest"
import { Cause, Context, Deferred, Effect, Exit, FiberRef, Layer, Logger, LogLevel, Schedule, Stream } from "effect"
import * as Http from "node:http"
import { setTimeout as sleep } from "node:timers/promises"
import { NodeHttpServer } from "../../../src/index.js"
import { type App, causeText, type Journal } from "../../conformance/stock/same/observe.js"
import { responses } from "../../conformance/stock/same/responses.js"
import { connect } from "../../support/rawClient.js"
import { waitFor, within } from "../../support/wait.js"

// A stream that no supervisor watches is pulled by the fiber of its request: to clients, and to the stream, it is what
// `@effect/platform-node` does, which runs it in another.

const options = { host: "127.0.0.1", port: 0 }
const servers = {
  stock: Stock.layerServer(() => Http.createServer(), options),
  quiesce: NodeHttpServer.layerServer(() => Http.createServer(), { ...options, idleGrace: 0, timeout: 1000 })
}
type Which = keyof typeof servers

interface Served {
  readonly port: number
  readonly journal: ReadonlyArray<unknown>
}

const served = (which: Which, app: App) =>
  Effect.gen(function*() {
    const journal: Array<unknown> = []
    // the fiber that stock gives a stream says it, too, without the response that has failed
    const logging = Logger.make(({ cause }) => {
      if (causeText(cause).includes("response")) journal.push(["the request", causeText(cause)])
    })
    const server = yield* Effect.map(Layer.build(servers[which]), Context.get(HttpServer.HttpServer))
    const layers = HttpServer.serve(app((entry) => journal.push(entry))).pipe(
      Layer.provide(Layer.succeed(HttpServer.HttpServer, server)),
      Layer.provide(Logger.replace(Logger.defaultLogger, logging)),
      Layer.provide(Logger.minimumLogLevel(LogLevel.All)),
      Layer.provide(NodeContext.layer)
    )
    const scope = yield* Effect.scope
    // in a fiber of its own, for a logger stays with the one that has asked for it
    yield* Effect.promise(() => Effect.runPromise(Layer.buildWithScope(layers, scope)))
    return { port: "port" in server.address ? server.address.port : 0, journal }
  }).pipe(Effect.provide(Logger.remove(Logger.defaultLogger)))

const encoded = (text: string) => new TextEncoder().encode(text)
const { stream } = HttpServerResponse
const one = Stream.make(encoded("a"))
const note = (journal: Journal, entry: string) => (exit: Exit.Exit<unknown, unknown>) =>
  Effect.sync(() => journal([entry, Exit.isSuccess(exit) ? "success" : causeText(exit.cause)]))
const counter = FiberRef.unsafeMake(0)

const apps: Record<string, App> = {
  ...Object.fromEntries(Object.entries(responses).filter(([name]) => name.startsWith("stream"))),
  "finalizers, in their order": (journal) =>
    Effect.succeed(stream(
      Stream.acquireRelease(Effect.succeed("outer"), (_, exit) => note(journal, "outer")(exit)).pipe(
        Stream.flatMap(() => Stream.concat(one, Stream.ensuringWith(one, note(journal, "inner")))),
        Stream.tap(() => Effect.sync(() => journal("emitted"))),
        Stream.ensuringWith(note(journal, "all"))
      )
    )),
  "finalizers of what fails": (journal) =>
    Effect.succeed(stream(
      Stream.acquireRelease(Effect.void, (_, exit) => note(journal, "released")(exit)).pipe(
        Stream.flatMap(() => Stream.concat(one, Stream.fail("no"))),
        Stream.ensuringWith(note(journal, "all"))
      )
    )),
  "a finalizer that dies": () => Effect.succeed(stream(Stream.ensuring(one, Effect.die("no")))),
  "a finalizer of the scope": (journal) =>
    Effect.succeed(stream(Stream.unwrapScoped(Effect.as(Effect.addFinalizer(note(journal, "scope")), one)))),
  "what is no bytes": () => Effect.succeed(stream(Stream.ensuring(Stream.make(1 as never), Effect.void))),
  "it interrupts itself": (journal) =>
    Effect.succeed(
      stream(Stream.concat(one, Stream.fromEffect(Effect.interrupt)).pipe(Stream.ensuringWith(note(journal, "all"))))
    ),
  "what it forks ends with it": (journal) =>
    stream(
      one.pipe(
        Stream.tap(() => Effect.fork(Effect.onExit(Effect.never, note(journal, "child")))),
        // the child has begun
        Stream.tap(() => Effect.yieldNow()),
        Stream.ensuring(Effect.sync(() => journal("the stream")))
      )
    ).pipe(Effect.tap(Effect.addFinalizer(() => Effect.sync(() => journal("the request"))))),
  "an app that has forked": (journal) =>
    Effect.zipRight(
      Effect.fork(Effect.onExit(Effect.never, note(journal, "child"))),
      Effect.zipRight(
        Effect.yieldNow(),
        Effect.succeed(stream(
          Stream.ensuring(Stream.schedule(one, Schedule.spaced(5)), Effect.sync(() => journal("the stream")))
        ))
      )
    ),
  "buffered, merged, grouped": () =>
    Effect.succeed(stream(
      Stream.merge(Stream.make("a", "a"), Stream.make("a")).pipe(
        Stream.buffer({ capacity: 2 }),
        Stream.map(encoded),
        Stream.mapEffect((bytes) => Effect.delay(Effect.succeed(bytes), 1), { concurrency: 2 })
      ),
      { contentLength: 3 }
    )),
  "a reference set on the way": (journal) =>
    Effect.zipRight(
      Effect.addFinalizer(() => Effect.map(FiberRef.get(counter), (value) => journal(["request", value]))),
      Effect.succeed(stream(
        one.pipe(
          Stream.tap(() => FiberRef.set(counter, 1)),
          Stream.tap(() => Effect.map(FiberRef.get(counter), (value) => journal(["stream", value])))
        )
      ))
    )
}

const masked = (text: string) => text.replaceAll(/\r\nDate: [^\r]*/g, "\r\nDate: …")

const request = (method: string, ...lines: ReadonlyArray<string>) =>
  [`${method} / HTTP/1.1`, "Host: a", ...lines, "", ""].join("\r\n")
const close = "Connection: close"

const exchange = ({ port }: Served, bytes: string) =>
  Effect.promise(async () => {
    const client = await connect({ port })
    await client.write(bytes)
    // some promise more bytes than they send
    await client.untilEnded(5000).catch(() => client.abort())
    return masked(client.text())
  })

/** What a request has to say at its end may come after its last byte; where they differ, that is what fails. */
const settled = async (own: Served, stock: Served): Promise<void> => {
  await sleep(20)
  await within(waitFor("both to end", () => own.journal.length === stock.journal.length, 2000), 3000)
}

describe("a stream, as @effect/platform-node sends it", () => {
  for (const [name, app] of Object.entries(apps)) {
    it.scopedLive(name, () =>
      Effect.gen(function*() {
        const [stock, own] = yield* Effect.all([served("stock", app), served("quiesce", app)])
        for (const bytes of [request("GET", close), request("HEAD", close), request("GET") + request("GET", close)]) {
          const [expected, seen] = yield* Effect.all([exchange(stock, bytes), exchange(own, bytes)], { concurrency: 2 })
          expect(seen).toBe(expected)
          expect(expected).toMatch(/^HTTP\/1\.1 /)
          // of two requests at a time, each is in order
          if (bytes !== request("GET", close)) continue
          yield* Effect.promise(() => settled(own, stock))
          expect(own.journal).toEqual(stock.journal)
        }
        yield* Effect.promise(() => settled(own, stock))
        const sorted = ({ journal }: Served) => journal.map((entry) => JSON.stringify(entry)).toSorted()
        expect(sorted(own)).toEqual(sorted(stock))
      }), 20_000)
  }

  for (const which of ["stock", "quiesce"] as const) {
    it.scopedLive(`${which}: each element leaves when it is emitted`, () =>
      Effect.gen(function*() {
        const pass = yield* Deferred.make<void>()
        const later = Stream.drain(Stream.fromEffect(Deferred.await(pass)))
        const { port } = yield* served(which, () =>
          Effect.succeed(
            stream(Stream.concat(Stream.concat(Stream.make(encoded("one")), later), Stream.make(encoded("two"))))
          ))
        const client = yield* Effect.promise(() => connect({ port }))
        yield* Effect.promise(() => client.write(request("GET", close)))
        yield* Effect.promise(() => client.untilText("one", 5000))
        expect(client.text()).not.toContain("two")
        yield* Deferred.succeed(pass, undefined)
        yield* Effect.promise(() => client.untilText("two", 5000))
        yield* Effect.promise(() => client.untilEnded(5000))
        expect(client.text()).toMatch(/3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n$/)
      }), 20_000)

    it.scopedLive(`${which}: a client that does not read is waited for`, () =>
      Effect.gen(function*() {
        const size = 100_000
        const count = 300
        let emitted = 0
        const { port } = yield* served(which, () =>
          Effect.succeed(stream(
            Stream.range(1, count, 1).pipe(
              Stream.tap(() => Effect.sync(() => emitted++)),
              Stream.map(() => new Uint8Array(size))
            ),
            { contentLength: size * count }
          )))
        const client = yield* Effect.promise(() => connect({ port }, { paused: true }))
        yield* Effect.promise(() => client.write(request("GET", close)))
        yield* Effect.promise(() => waitFor("the first", () => emitted > 0, 5000))
        yield* Effect.sleep(300)
        // what fits into the buffers of Node and of the kernel
        expect(emitted).toBeLessThan(count / 2)
        client.resume()
        yield* Effect.promise(() => client.untilEnded(10_000))
        expect(emitted).toBe(count)
        expect(client.bytes).toBeGreaterThan(size * count)
      }), 20_000)

    it.scopedLive(`${which}: a client that leaves ends the stream`, () =>
      Effect.gen(function*() {
        const { journal, port } = yield* served(which, (journal) =>
          Effect.succeed(stream(
            Stream.concat(one, Stream.never).pipe(
              Stream.ensuringWith((exit) =>
                Effect.sync(() => journal(Exit.isFailure(exit) && Cause.isInterruptedOnly(exit.cause)))
              )
            )
          )))
        const client = yield* Effect.promise(() => connect({ port }))
        yield* Effect.promise(() => client.write(request("GET")))
        yield* Effect.promise(() => client.untilText("a\r\n", 5000))
        client.abort()
        yield* Effect.promise(() => waitFor("the stream to end", () => journal.length > 0, 5000))
        expect(journal).toEqual([true])
      }), 20_000)
  }
})
