/**
 * Responses that nobody has thought of: of every kind of body, with headers, cookies, lengths and statuses of all
 * sorts. They are descriptions, so that each server makes its own, and that a counterexample can be read.
 */
import { Cookies, Headers, HttpBody, HttpServerResponse } from "@effect/platform"
import type { HttpPlatform } from "@effect/platform/HttpPlatform"
import { Chunk, Effect, Stream } from "effect"
import fc from "fast-check"
import { Readable } from "node:stream"
import { fileURLToPath } from "node:url"

type Response = HttpServerResponse.HttpServerResponse

const rarely = <A>(arbitrary: fc.Arbitrary<A>, or: A) =>
  fc.oneof({ arbitrary: fc.constant(or), weight: 4 }, { arbitrary, weight: 1 })

const sizes = [0, 1, 10, 4095, 4096, 4097, 70_000]
const texts = ["", "hello", "grüße", "你好 👋", "x".repeat(5000)]
const contentTypes = ["text/plain", "application/json", "image/png", "x/y; charset=latin1"]

const pieces = fc.array(fc.array(fc.constantFrom(0, 1, 10, 20_000), { maxLength: 3 }), { maxLength: 4 })
const ends = fc.constantFrom("whole", "fails", "dies")

const bytes = (size: number) => Uint8Array.from({ length: size }, (_, index) => index % 251)
const raws: Record<string, () => unknown> = {
  "text": () => "räw",
  "none": () => null,
  "buffer": () => Buffer.from("buffer"),
  "nothing": () => undefined,
  "number": () => 5,
  "web response": () => new Response("web"),
  "bytes": () => bytes(300)
}

const anyBody = fc.oneof(
  fc.record({ kind: fc.constant("empty" as const) }),
  fc.record({ kind: fc.constant("text" as const), text: fc.constantFrom(...texts) }),
  fc.record({ kind: fc.constant("json" as const), json: fc.jsonValue({ maxDepth: 2 }) }),
  fc.record({
    kind: fc.constant("uint8Array" as const),
    size: fc.constantFrom(...sizes),
    as: fc.constantFrom("array", "buffer", "part")
  }),
  fc.record({ kind: fc.constant("stream" as const), pieces, ends, slowly: fc.boolean() }),
  fc.record({
    kind: fc.constant("raw" as const),
    raw: fc.oneof(fc.constantFrom("text", "buffer", "bytes"), rarely(fc.constantFrom(...Object.keys(raws)), "none"))
  }),
  fc.record({ kind: fc.constant("readable" as const), pieces, ends }),
  fc.record({ kind: fc.constant("form" as const), hasFile: fc.boolean() }),
  fc.record({
    kind: fc.constant("file" as const),
    offset: fc.option(fc.constantFrom(0, 10), { nil: undefined }),
    bytesToRead: fc.option(fc.constantFrom(1, 100), { nil: undefined })
  }),
  fc.record({ kind: fc.constant("web file" as const), text: fc.constantFrom("hello", "grüße") })
)

/** What Node refuses to send, which nothing is sent in place of. */
const badHeader = fc.constantFrom(["x-bad", "a\nb"], ["X-Bad", "你"], ["bad name", "fine"])

const anyHeader = fc.oneof(
  fc.tuple(
    fc.constantFrom("X-One", "x-oNE", "ETag", "CACHE-CONTROL", "Vary", "x-empty", "Content-Language"),
    fc.constantFrom("1", "a, b", "", "ü", "\"tag\"", " around ")
  ),
  fc.tuple(fc.constant("Set-Cookie"), fc.constantFrom<string | Array<string>>("a=1", ["a=1; Path=/", "b=2"])),
  fc.tuple(fc.constantFrom("Connection"), fc.constantFrom("close", "keep-alive", "Close")),
  fc.tuple(fc.constant("Content-Type"), fc.constantFrom(...contentTypes)),
  fc.tuple(fc.constantFrom("Content-Length", "content-length"), fc.constantFrom("0", "5", "12")),
  fc.tuple(fc.constant("Transfer-Encoding"), fc.constantFrom("chunked", "identity"))
)

const anyCookie = fc.record({
  name: fc.constantFrom("a", "b", "session"),
  value: fc.constantFrom("1", "two words", "ü", ""),
  httpOnly: fc.boolean(),
  path: fc.constantFrom("/", "/p")
})

export const anyDescription = fc.record({
  body: anyBody,
  status: rarely(fc.constantFrom(201, 202, 204, 205, 206, 304, 404, 499, 500, 503, 599), 200),
  headers: fc.array(anyHeader, { maxLength: 4 }),
  badHeader: fc.oneof({ arbitrary: fc.constant(undefined), weight: 30 }, { arbitrary: badHeader, weight: 1 }),
  cookies: rarely(fc.uniqueArray(anyCookie, { maxLength: 3, selector: ({ name }) => name }), []),
  contentType: fc.option(fc.constantFrom(...contentTypes), { nil: undefined }),
  hasLength: fc.boolean(),
  given: rarely(fc.constantFrom("later", "as a failure", "as a defect", "by a handler before it is sent"), "at once")
})

export type Description = typeof anyDescription extends fc.Arbitrary<infer A> ? A : never
type Body = Description["body"]

const failure = new Error("midway")

const chunks = (sizes: ReadonlyArray<ReadonlyArray<number>>) =>
  Stream.fromChunks(...sizes.map((sizes) => Chunk.fromIterable(sizes.map(bytes))))

const streamOf = ({ ends, pieces, slowly }: Extract<Body, { kind: "stream" }>) =>
  (slowly ? Stream.mapEffect(chunks(pieces), (bytes) => Effect.as(Effect.yieldNow(), bytes)) : chunks(pieces)).pipe(
    Stream.concat(ends === "whole" ? Stream.empty : ends === "fails" ? Stream.fail(failure) : Stream.die(failure))
  )

const readableOf = ({ ends, pieces }: Extract<Body, { kind: "readable" }>) =>
  Readable.from((function*() {
    yield* pieces.flat().filter((size) => size > 0).map((size) => Buffer.from(bytes(size)))
    if (ends !== "whole") throw failure
  })())

const formOf = (hasFile: boolean) => {
  const form = new FormData()
  form.set("field", "grüße")
  if (hasFile) form.set("file", new Blob(["hello"]), "hello.txt")
  return form
}

const sizeOf = (pieces: ReadonlyArray<ReadonlyArray<number>>) => pieces.flat().reduce((sum, size) => sum + size, 0)

const part = (size: number, as: string) =>
  as === "buffer" ? Buffer.from(bytes(size)) : as === "part" ? bytes(size + 20).subarray(7, 7 + size) : bytes(size)

const cookiesOf = (cookies: Description["cookies"]) =>
  Cookies.fromIterable(cookies.map(({ name, value, ...options }) => Cookies.unsafeMakeCookie(name, value, options)))

const bodied = (
  { body, contentType, hasLength }: Description,
  options: HttpServerResponse.Options.WithContent
): Effect.Effect<Response, never, HttpPlatform> => {
  const { empty, file, fileWeb, raw, stream, text, uint8Array, unsafeJson } = HttpServerResponse
  const typed = contentType === undefined ? options : { ...options, contentType }
  const sized = (length: number) => hasLength ? { ...typed, contentLength: length } : typed
  switch (body.kind) {
    case "empty":
      return Effect.succeed(empty(options))
    case "text":
      return Effect.succeed(text(body.text, typed))
    case "json":
      return Effect.succeed(unsafeJson(body.json, options))
    case "uint8Array":
      return Effect.succeed(uint8Array(part(body.size, body.as), typed))
    case "stream":
      return Effect.succeed(stream(streamOf(body), sized(sizeOf(body.pieces))))
    case "raw":
      return Effect.sync(() => raw(raws[body.raw]?.(), typed))
    case "readable":
      return Effect.sync(() => raw(readableOf(body), sized(sizeOf(body.pieces))))
    case "form":
      return Effect.succeed(HttpServerResponse.setBody(empty(options), HttpBody.formData(formOf(body.hasFile))))
    case "file": {
      const { bytesToRead, offset } = body
      return Effect.orDie(file(fileURLToPath(import.meta.url), {
        ...typed,
        ...(offset !== undefined && { offset }),
        ...(bytesToRead !== undefined && { bytesToRead })
      }))
    }
    case "web file":
      return fileWeb(new File([body.text], "hello.txt", { lastModified: 0 }), typed)
  }
}

/** What has been described, made anew, as one that is still to be given. */
export const responseOf = (description: Description): Effect.Effect<Response, never, HttpPlatform> => {
  const { badHeader, cookies, headers, status } = description
  return bodied(description, {
    status,
    headers: Headers.fromInput(Object.fromEntries(badHeader === undefined ? headers : [...headers, badHeader])),
    ...(cookies.length > 0 && { cookies: cookiesOf(cookies) })
  })
}
