/**
 * Routes that give a server something to do. They run on any `HttpServer`: the demo serves them with stock
 * `@effect/platform-node` as well.
 */
import { HttpLayerRouter, HttpServerRequest, HttpServerResponse } from "@effect/platform"
import { Effect, Layer, Schedule, Stream } from "effect"

const number = (name: string, byDefault: number, most: number) =>
  Effect.map(HttpServerRequest.HttpServerRequest, ({ url }) => {
    const value = Number(new URL(url, "http://localhost").searchParams.get(name) ?? byDefault)
    return value >= 0 && value <= most ? value : byDefault
  })

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

const orders = Effect.gen(function*() {
  const id = yield* Effect.flatMap(HttpServerRequest.HttpServerRequest, (request) => request.text)
  return HttpServerResponse.text(id)
})

export const work = (options: {
  /** Ends streams that would go on for ever. */
  readonly streamsEnd: Effect.Effect<void>
}) =>
  Layer.mergeAll(
    HttpLayerRouter.add("GET", "/slow", slow),
    HttpLayerRouter.add("GET", "/stream", stream(options.streamsEnd)),
    HttpLayerRouter.add("GET", "/download", download),
    HttpLayerRouter.add("POST", "/orders", orders)
  )
