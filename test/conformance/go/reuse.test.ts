// Go's rules C6 and C7: which connections can be used again, and what becomes of a body that nobody read.
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import { expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type * as Http from "node:http"
import { Shutdown } from "../../../src/index.js"
import { answer, client, ended, get, post, responses, send, serving } from "../../support/running.js"
import { historyOf, serve } from "./harness.js"

const ok: Http.RequestListener = (_, response) => response.end("ok")

const says = (value: string): Http.RequestListener => (_, response) => {
  response.setHeader("Connection", value)
  response.end("ok")
}

const head = (version: string, ...headers: ReadonlyArray<string>) =>
  [`GET / HTTP/${version}`, "Host: test", ...headers, "", ""].join("\r\n")

it.scoped("C6: a connection whose handler or client says close is closed with the answer", () =>
  Effect.gen(function*() {
    for (
      const [handler, request] of [
        [ok, head("1.1", "Connection: close")],
        [ok, head("1.0")],
        [says("close"), head("1.1")],
        [says("close"), head("1.0", "Connection: keep-alive")]
      ] as const
    ) {
      const app = yield* serve(handler)
      const peer = yield* client(app.target)
      yield* send(peer, request)
      expect((yield* answer(peer)).connection).toBe("close")
      expect(yield* ended(peer)).toBe("fin")
      yield* app.history.until("New,Active,Closed")
    }
  }))

it.scoped("C6: a connection whose 100-continue was refused is closed, since its body may come or not", () =>
  Effect.gen(function*() {
    const app = yield* serve(ok, {
      prepare: (node) =>
        node.on("checkContinue", (_, response) => {
          response.writeHead(417)
          response.end()
        })
    })
    const peer = yield* client(app.target)
    yield* send(peer, "POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n")
    expect(yield* answer(peer)).toMatchObject({ status: 417, connection: "close" })
    expect(yield* ended(peer)).toBe("fin")
    yield* app.history.until("New,Active,Closed")
  }))

it.scoped("C7: a body that nobody reads is drained, and the connection is used again", () =>
  Effect.gen(function*() {
    const app = yield* serve(ok)
    const peer = yield* client(app.target)
    yield* send(peer, post("/", "x".repeat(200 * 1024)), get("/"))
    expect((yield* responses(peer, 2)).map(({ status }) => status)).toEqual([200, 200])
    yield* app.history.until("New,Active,Idle,Active,Idle")
  }))

it.scoped("T26: a request of plain HTTP/1.0 is answered, and its connection closed", () =>
  Effect.gen(function*() {
    const app = yield* serve(ok)
    const peer = yield* client(app.target)
    yield* send(peer, head("1.0"))
    expect((yield* answer(peer)).body).toBe("ok")
    expect(yield* ended(peer)).toBe("fin")
    yield* app.history.until("New,Active,Closed")
  }))

it.scoped("T27: a client that says close has its connection closed", () =>
  Effect.gen(function*() {
    const app = yield* serve(ok)
    const peer = yield* client(app.target)
    yield* send(peer, head("1.1"), head("1.1", "Connection: close"))
    expect((yield* responses(peer, 2)).map(({ headers }) => headers["connection"])).toEqual(["keep-alive", "close"])
    expect(yield* ended(peer)).toBe("fin")
    expect(peer.parsed().responses).toHaveLength(2)
  }))

it.scoped("T28: a handler that says close has its connection closed, for HTTP/1.1 and for 1.0 with keep-alive", () =>
  Effect.gen(function*() {
    const app = yield* serving(
      Effect.succeed(HttpServerResponse.text("ok", { headers: { connection: "close" } })),
      Shutdown.goPolicy
    )
    const history = yield* historyOf(app.server)
    for (const [index, request] of [head("1.1"), head("1.0", "Connection: keep-alive")].entries()) {
      const peer = yield* client(app.target)
      yield* send(peer, request)
      expect(yield* answer(peer)).toEqual({ status: 200, body: "ok", connection: "close" })
      expect(yield* ended(peer)).toBe("fin")
      yield* history.until("New,Active,Closed", index + 1)
    }
  }))

it.scoped("T33: a connection whose answer broke off is not used again", () =>
  Effect.gen(function*() {
    const app = yield* serve((_, response) => {
      response.write("first", () => response.destroy())
    })
    const peer = yield* client(app.target)
    yield* send(peer, get("/"), get("/"))
    yield* ended(peer)
    expect(peer.parsed().responses.filter(({ complete }) => complete)).toEqual([])
    yield* app.history.until("New,Active,Closed")
  }))

it.scoped("T35: a connection is used again whatever the size of the body, read or not, announced or not", () =>
  Effect.gen(function*() {
    const read: Http.RequestListener = (request, response) => request.resume().on("end", () => response.end("ok"))
    const chunked = (size: number) =>
      `POST / HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n${size.toString(16)}\r\n${
        "x".repeat(size)
      }\r\n0\r\n\r\n`
    const [small, large] = [1024, 1024 * 1024] as const
    for (const handler of [ok, read]) {
      const app = yield* serve(handler)
      for (
        const request of [
          post("/", "x".repeat(small)),
          post("/", "x".repeat(large)),
          post("/", "x".repeat(small), "Expect: 100-continue"),
          post("/", "x".repeat(large), "Expect: 100-continue"),
          chunked(small),
          chunked(large)
        ]
      ) {
        const peer = yield* client(app.target)
        yield* send(peer, request)
        yield* responses(peer, 1)
        yield* send(peer, get("/"))
        const [first, second] = yield* responses(peer, 2)
        expect([first?.status, first?.headers["connection"], second?.status]).toEqual([200, "keep-alive", 200])
      }
      expect(app.history.count("New")).toBe(6)
    }
  }))
