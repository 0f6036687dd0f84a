import * as HttpServer from "@effect/platform/HttpServer"
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import { describe, expect, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Http from "node:http"
import * as Http2 from "node:http2"
import { NodeHttpServer } from "../../../src/index.js"
import { client, get, launch, send, targetOf, until, untilStates } from "../../support/running.js"

// Pins internal/node: end, endCallbacksOf

// A middleware, as a tracer, goes on when all of an answer has been sent. Of an answer that never will be, because its
// client has left, Node does not say so: its request ends all the same, and no drain waits for it.

/** More than a client takes that does not read, or whose window is used up. */
// of Effect 4 the end of one that is smaller than a mebibyte is not waited for
const big = HttpServerResponse.uint8Array(new Uint8Array(2_000_000))

/** An app with a middleware that sees each of its requests begin and end. */
const watched = (node: Http.Server | Http2.Http2Server, app: Effect.Effect<HttpServerResponse.HttpServerResponse>) =>
  Effect.gen(function*() {
    const seen = { begun: 0, ended: 0 }
    const middleware = <A, E, R>(app: Effect.Effect<A, E, R>) =>
      Effect.onExit(
        Effect.zipRight(Effect.sync(() => void seen.begun++), app),
        () => Effect.sync(() => void seen.ended++)
      )
    const running = yield* launch(
      HttpServer.serve(app, middleware).pipe(
        Layer.provideMerge(NodeHttpServer.layer(() => node as Http.Server, { host: "127.0.0.1", port: 0 }))
      ),
      (context) => targetOf(Context.get(context, HttpServer.HttpServer).address)
    )
    return {
      ...running,
      seen,
      untilBegun: (count: number) => until(() => `${count} requests, not ${seen.begun}`, () => seen.begun === count),
      untilEnded: (count: number) => until(() => `${count} ends, not ${seen.ended}`, () => seen.ended === count)
    }
  })

const nothingLeft = { outcome: "Drained", cut: [], handlers: { interrupted: 0, abandoned: 0 }, duration: Duration.zero }

/** The first request waits, and those behind it are answered at once. */
const firstWaits = () => {
  let requests = 0
  return Effect.suspend(() =>
    requests++ === 0 ? Effect.interruptible(Effect.never) : Effect.succeed(HttpServerResponse.text("ok"))
  )
}

const session = ({ target }: { readonly target: unknown }) =>
  Effect.acquireRelease(
    Effect.sync(() =>
      Http2.connect(`http://127.0.0.1:${(target as { readonly port: number }).port}`).on("error", () => {})
    ),
    (session) => Effect.sync(() => session.destroy())
  )

const request = (session: Http2.ClientHttp2Session) => session.request({ ":path": "/" }).on("error", () => {})

describe("an answer whose end is waited for, and whose client leaves", () => {
  for (const how of ["leave", "abort"] as const) {
    it.scoped(`over HTTP/1.1, with answers that wait for their turn (${how})`, () =>
      Effect.gen(function*() {
        const running = yield* watched(Http.createServer(), firstWaits())
        const raw = yield* client(running.target)
        yield* send(raw, get("/"), get("/"), get("/"))
        yield* running.untilBegun(3)
        raw[how]()
        yield* untilStates(running.server)
        yield* running.untilEnded(3)
        expect(yield* running.stop).toMatchObject(nothingLeft)
      }))

    it.scoped(`over HTTP/1.1, with answers that wait for their turn, during the drain (${how})`, () =>
      Effect.gen(function*() {
        const running = yield* watched(Http.createServer(), firstWaits())
        const raw = yield* client(running.target)
        yield* send(raw, get("/"), get("/"), get("/"))
        yield* running.untilBegun(3)
        yield* running.drain
        raw[how]()
        expect(yield* running.report).toMatchObject(nothingLeft)
        expect(running.seen.ended).toBe(3)
      }))

    it.scoped(`over HTTP/1.1, in the middle of a large one (${how})`, () =>
      Effect.gen(function*() {
        const running = yield* watched(Http.createServer(), Effect.succeed(big))
        const raw = yield* client(running.target, { paused: true })
        yield* send(raw, ...Array.from({ length: 10 }, () => get("/")))
        yield* until("a request", () => running.seen.begun > 0)
        raw[how]()
        raw.resume()
        yield* untilStates(running.server)
        yield* running.untilEnded(running.seen.begun)
        expect(yield* running.stop).toMatchObject(nothingLeft)
      }))
  }

  it.scoped("over HTTP/2, by resetting one stream", () =>
    Effect.gen(function*() {
      const running = yield* watched(Http2.createServer(), Effect.succeed(big))
      const one = yield* session(running)
      const streams = [request(one), request(one), request(one)]
      yield* running.untilBegun(3)
      streams[1]?.close(Http2.constants.NGHTTP2_CANCEL)
      yield* running.untilEnded(1)
      for (const stream of streams) stream.close(Http2.constants.NGHTTP2_CANCEL)
      yield* running.untilEnded(3)
      expect(yield* running.stop).toMatchObject({ ...nothingLeft, duration: expect.anything() })
    }))

  it.scoped("over HTTP/2, with its session", () =>
    Effect.gen(function*() {
      const running = yield* watched(Http2.createServer(), Effect.succeed(big))
      const one = yield* session(running)
      request(one)
      request(one)
      yield* running.untilBegun(2)
      one.destroy()
      yield* untilStates(running.server)
      yield* running.untilEnded(2)
      expect(yield* running.stop).toMatchObject(nothingLeft)
    }))

  it.scoped("over HTTP/2, with its session, during the drain", () =>
    Effect.gen(function*() {
      const running = yield* watched(Http2.createServer(), Effect.succeed(big))
      const one = yield* session(running)
      request(one)
      request(one)
      yield* running.untilBegun(2)
      yield* running.drain
      one.destroy()
      expect(yield* running.report).toMatchObject(nothingLeft)
      expect(running.seen.ended).toBe(2)
    }))
})
