/**
 * Apps that answer in every way that there is, and in some that there should not be.
 */
import { Cookies, HttpApp, HttpBody, HttpServerRequest, HttpServerResponse } from "@effect/platform"
import { NodeHttpServerRequest } from "@effect/platform-node"
import { Chunk, Data, Effect, Schedule, Stream } from "effect"
import { Readable } from "node:stream"
import { upgraded } from "../../../support/effect/apps.js"
import type { App } from "./observe.js"

const bytes = (size: number) => Uint8Array.from({ length: size }, (_, index) => index % 256)
const encoded = (text: string) => new TextEncoder().encode(text)
const { empty, html, json, raw, redirect, stream, text, uint8Array, unsafeJson, urlParams } = HttpServerResponse

class Refused extends Data.TaggedError("Refused") {}

const throwing = (): HttpServerResponse.HttpServerResponse => {
  throw new Error("no")
}

const form = () => {
  const data = new FormData()
  data.set("name", "value")
  data.set("file", new Blob(["hello"]), "hello.txt")
  return data
}

const cookies = Cookies.fromIterable([
  Cookies.unsafeMakeCookie("a", "1", { httpOnly: true, path: "/" }),
  Cookies.unsafeMakeCookie("b", "two words", { maxAge: "1 hour", sameSite: "lax" })
])

export const responses: Record<string, App> = {
  "text, made once": () => text("hello"),
  "text, made for each request": () => Effect.sync(() => text("hello")),
  "text after a while": () => Effect.delay(Effect.sync(() => text("hello")), 2),
  "no text": () => text(""),
  "text that is not Latin": () => text("grüße, 你好 👋"),
  "html": () => html`<p>${"a"} and ${Effect.succeed("b")}</p>`,
  "json": () => Effect.orDie(json({ a: [1, "zwei", null] })),
  "unsafe json, with a status": () => unsafeJson({ a: 1 }, { status: 201, statusText: "Made" }),
  "url parameters": () => urlParams({ a: "1", b: "ü" }),
  "empty": () => empty(),
  "empty with a length": () => empty({ status: 200, headers: { "content-length": "0", etag: "\"x\"" } }),
  "not modified": () => empty({ status: 304, headers: { etag: "\"x\"" } }),
  "redirect": () => redirect("/elsewhere?a=b", { headers: { "x-why": "moved" } }),
  "headers": () =>
    text("hello", { status: 418, headers: { "X-One": "1", "x-two": "a, b", "content-type": "text/x", vary: "a" } }),
  "bad header": () => text("hello", { headers: { "x-bad": "a\nb" } }),
  "a status that is none": () => text("hello", { status: 9 }),
  "connection: close": () => text("hello", { headers: { connection: "close" } }),
  "content-length of one's own": () => text("hello", { headers: { "content-length": "5" } }),
  "transfer-encoding of one's own": () => text("hello", { headers: { "transfer-encoding": "chunked" } }),
  "cookies": () => text("hello", { cookies }),
  "cookies and a header": () => text("hello", { cookies, headers: { "set-cookie": "c=3" } }),
  "cookies set later": () => Effect.flatMap(text("hello"), HttpServerResponse.setCookie("d", "4", { secure: true })),
  "all bytes": () => uint8Array(bytes(256)),
  "a part of a buffer": () => uint8Array(bytes(256).subarray(10, 20)),
  "4096 bytes": () => uint8Array(bytes(4096)),
  "4097 bytes": () => uint8Array(bytes(4097), { contentType: "x/y" }),
  "200,000 bytes": () => uint8Array(bytes(200_000)),
  "bytes with a status that has none": () => uint8Array(bytes(10), { status: 204 }),
  "raw text": () => raw("räw"),
  "raw text with a length": () => raw("raw", { contentLength: 3, contentType: "text/plain" }),
  "raw nothing": () => raw(null),
  "raw undefined": () => raw(undefined),
  "raw buffer": () => raw(Buffer.from("buffer")),
  "raw stream": () => Effect.sync(() => raw(Readable.from(["a", "b", "c"]))),
  "raw stream with a length": () => Effect.sync(() => raw(Readable.from(["abc"]), { contentLength: 3 })),
  "raw stream that fails at once": () =>
    Effect.sync(() => raw(Readable.from(Stream.toAsyncIterable(Stream.fail("no"))))),
  "form data": () => HttpServerResponse.setBody(empty({ status: 200 }), HttpBody.formData(form())),
  "stream": () => stream(Stream.make(encoded("a"), encoded("b"))),
  "stream with a length": () => stream(Stream.make(encoded("ab"), encoded("c")), { contentLength: 3 }),
  "stream in time": () =>
    stream(Stream.schedule(Stream.make(encoded("a"), encoded("b"), encoded("c")), Schedule.spaced(1))),
  "stream of nothing": () => stream(Stream.empty),
  "stream of an empty chunk": () =>
    stream(Stream.fromChunks(Chunk.empty(), Chunk.of(encoded("")), Chunk.of(encoded("a")))),
  "stream that fails at once": () => stream(Stream.fail("no")),
  "stream that fails midway": () => stream(Stream.concat(Stream.make(encoded("a")), Stream.fail("no"))),
  "stream that dies midway": () => stream(Stream.concat(Stream.make(encoded("a")), Stream.die(new Error("no")))),
  "stream that ends midway": () => stream(Stream.make(encoded("a")), { contentLength: 10 }),
  "stream that is long": () => stream(Stream.rechunk(Stream.repeatValue(bytes(50_000)).pipe(Stream.take(60)), 7)),
  "stream with finalizers": (journal) =>
    stream(
      Stream.make(encoded("a")).pipe(
        Stream.ensuring(Effect.sync(() => journal("the stream has ended")))
      )
    ),
  "event stream": () =>
    stream(Stream.make(encoded("data: 1\n\n"), encoded("data: 2\n\n")), { contentType: "text/event-stream" }),
  "failure": () => Effect.fail("no"),
  "failure with an error": () => Effect.fail(new Refused()),
  "defect": () => Effect.die(new Error("no")),
  "thrown": () => Effect.sync(throwing),
  "failure with a response": () => Effect.fail(text("as a failure", { status: 409 })),
  "defect that is a response": () => Effect.die(text("as a defect", { status: 410 })),
  "failure and a response": () => Effect.ensuring(Effect.fail("no"), Effect.die(text("both", { status: 411 }))),
  "interruption": () => Effect.interrupt,
  "what is no response": () => Effect.succeed("hello") as never,
  "not an upgrade": () => Effect.map(upgraded, () => empty()),
  "written by hand": () =>
    Effect.map(HttpServerRequest.HttpServerRequest, (request) => {
      NodeHttpServerRequest.toServerResponse(request).writeHead(200, { "x-by": "hand" }).end("by hand")
      return text("ignored")
    }),
  "a head written by hand": () =>
    Effect.map(HttpServerRequest.HttpServerRequest, (request) => {
      NodeHttpServerRequest.toServerResponse(request).setHeader("x-by", "hand")
      return text("hello", { headers: { "x-two": "2" } })
    }),
  "a head that was sent by hand": () =>
    Effect.map(HttpServerRequest.HttpServerRequest, (request) => {
      NodeHttpServerRequest.toServerResponse(request).writeHead(202).flushHeaders()
      return text("hello")
    }),
  "pre-response handler": () =>
    Effect.zipRight(
      HttpApp.appendPreResponseHandler((_, response) =>
        Effect.succeed(HttpServerResponse.setHeader(response, "x-one", "1"))
      ),
      Effect.zipRight(
        HttpApp.appendPreResponseHandler((request, response) =>
          Effect.delay(
            Effect.succeed(
              HttpServerResponse.setHeader(response, "x-two", `${request.url} ${response.headers["x-one"]}`)
            ),
            1
          )
        ),
        text("hello")
      )
    ),
  "pre-response handler, and a failure": () =>
    Effect.zipRight(
      HttpApp.appendPreResponseHandler((_, response) =>
        Effect.succeed(HttpServerResponse.setHeader(response, "x-one", "1"))
      ),
      Effect.fail("no")
    ),
  "pre-response handler around": () =>
    HttpApp.withPreResponseHandler(
      Effect.sync(() => text("hello")),
      (_, response) => Effect.succeed(HttpServerResponse.setStatus(response, 202))
    ),
  "pre-response handler that dies": () =>
    Effect.zipRight(HttpApp.appendPreResponseHandler(() => Effect.die("no")), text("hello")),
  "pre-response handler that dies once": () =>
    Effect.suspend(() => {
      let times = 0
      return Effect.zipRight(
        HttpApp.appendPreResponseHandler((_, response) => times++ === 0 ? Effect.die("no") : Effect.succeed(response)),
        text("hello")
      )
    }),
  "from a web handler": () =>
    HttpApp.fromWebHandler(async (request) =>
      new Response(`${request.method} ${request.url} ${await request.text()}`, { headers: { "x-web": "1" } })
    )
}
