/**
 * Routes that give a server something to do. They run on any `HttpServer`: the demo serves them with stock
 * `@effect/platform-node` as well.
 */
import { HttpRouter, HttpServerRequest, HttpServerResponse } from "@effect/platform"
import { Effect, Schedule, Schema, Stream } from "effect"

const number = (name: string, byDefault: number, most: number) =>
  Effect.map(
    HttpServerRequest.schemaSearchParams(Schema.Struct({
      [name]: Schema.optionalWith(Schema.NumberFromString.pipe(Schema.between(0, most)), { default: () => byDefault })
    })),
    (params) => params[name] ?? byDefault
  )

const slow = Effect.gen(function*() {
  const seconds = yield* number("seconds", 5, 3600)
  yield* Effect.sleep(`${seconds} seconds`)
  return HttpServerResponse.text(`answered after ${seconds} s\n`)
})

const stream = (ended: Effect.Effect<void>) =>
  Effect.gen(function*() {
    const seconds = yield* number("seconds", Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER)
    const ticks = Stream.fromSchedule(Schedule.spaced("500 millis")).pipe(
      Stream.takeWhile((n) => n < seconds * 2),
      Stream.map((n) => `tick ${n + 1}\n`),
      Stream.interruptWhen(ended),
      Stream.concat(Stream.make("that was all\n"))
    )
    return HttpServerResponse.stream(Stream.encodeText(ticks), { contentType: "text/plain; charset=utf-8" })
  })

const download = Effect.map(
  number("mb", 50, 500),
  (megabytes) =>
    HttpServerResponse.uint8Array(new Uint8Array(megabytes * 1024 * 1024), {
      headers: { "content-disposition": `attachment; filename="${megabytes}MB.bin"` }
    })
)

/** An order is executed when it says so, and its client must then hear of it. */
const orders = (executed: (id: string) => void) =>
  Effect.gen(function*() {
    const id = yield* Effect.flatMap(HttpServerRequest.HttpServerRequest, (request) => request.text)
    executed(id)
    return HttpServerResponse.text(id)
  })

export const work = (options: {
  /** Ends streams that would go on for ever. */
  readonly streamsEnd: Effect.Effect<void>
  readonly executed?: (id: string) => void
}) =>
  HttpRouter.empty.pipe(
    HttpRouter.get("/slow", slow),
    HttpRouter.get("/stream", stream(options.streamsEnd)),
    HttpRouter.get("/download", download),
    HttpRouter.post("/orders", orders(options.executed ?? (() => {})))
  )
