import {
  HttpApiError,
  HttpApiSchema,
  HttpServerError,
  HttpServerRequest,
  HttpServerRespondable,
  HttpServerResponse
} from "@effect/platform"
import { describe, it } from "@effect/vitest"
import { Cause, Data, Deferred, Effect, Fiber, FiberId, ParseResult, Schema, Stream } from "effect"
import * as HttpRouter from "../../support/effect/httpRouter.js"
import { head, same, servers } from "./same/compare.js"
import { middlewares } from "./same/middlewares.js"
import type { App } from "./same/observe.js"

// What fails is answered, logged and traced as by `@effect/platform-node`, whoever knows what it means.

class Known extends Data.TaggedError("Known")<{ readonly answer: Effect.Effect<HttpServerResponse.HttpServerResponse> }>
  implements HttpServerRespondable.Respondable
{
  [HttpServerRespondable.symbol]() {
    return this.answer
  }
}

class Typed
  extends Schema.TaggedError<Typed>()("Typed", { why: Schema.String }, HttpApiSchema.annotations({ status: 422 }))
{}

const { empty, raw, stream, text, uint8Array } = HttpServerResponse
const teapot = new Known({ answer: Effect.succeed(text("a teapot", { status: 418, headers: { "x-pot": "1" } })) })
const request = HttpServerRequest.HttpServerRequest
const chunk = new TextEncoder().encode("chunk")

const failures: Record<string, Effect.Effect<never, unknown, HttpServerRequest.HttpServerRequest>> = {
  "one that knows its answer": Effect.fail(teapot),
  "the same, as a defect": Effect.die(teapot),
  "one whose answer takes a while": Effect.fail(new Known({ answer: Effect.delay(Effect.succeed(text("late")), 1) })),
  "one whose answer fails": Effect.fail(new Known({ answer: Effect.die("no answer") })),
  "the same, as a defect that has none": Effect.die(new Known({ answer: Effect.die("no answer") })),
  "one whose answer has cookies": Effect.fail(
    new Known({ answer: Effect.succeed(HttpServerResponse.unsafeSetCookie(empty({ status: 401 }), "a", "1")) })
  ),
  "no route": Effect.flatMap(request, (request) => Effect.fail(new HttpServerError.RouteNotFound({ request }))),
  "a bad request": Effect.flatMap(
    request,
    (request) => Effect.fail(new HttpServerError.RequestError({ request, reason: "Decode" }))
  ),
  "a bad response": Effect.flatMap(
    request,
    (request) => Effect.fail(new HttpServerError.ResponseError({ request, response: text("hello"), reason: "Decode" }))
  ),
  "what cannot be parsed": Effect.zipRight(Schema.decodeUnknown(Schema.Number)("one"), Effect.never),
  "the same, thrown": Effect.sync(() => Schema.decodeUnknownSync(Schema.Number)("one")).pipe(
    Effect.zipRight(Effect.never)
  ),
  "an issue of parsing": Effect.fail(ParseResult.parseError(new ParseResult.Type(Schema.String.ast, 1))),
  "a body that cannot be parsed": Effect.zipRight(
    HttpServerRequest.schemaBodyJson(Schema.Struct({ a: Schema.String })),
    Effect.never
  ),
  "nothing": Effect.fail(new Cause.NoSuchElementException()),
  "an error of an API": Effect.fail(new HttpApiError.Forbidden()),
  "an error with a status": Effect.fail(new Typed({ why: "it is" })),
  "undefined": Effect.fail(undefined),
  "a defect that is undefined": Effect.die(undefined),
  "a defect that is text": Effect.die("text"),
  "two at a time": Effect.zipRight(
    Effect.all([Effect.fail("one"), Effect.die("two")], { concurrency: "unbounded", mode: "default" }),
    Effect.never
  ),
  "one after the other": Effect.ensuring(Effect.fail("one"), Effect.die(teapot)),
  "a failure, then an interruption": Effect.failCause(
    Cause.sequential(Cause.fail("one"), Cause.interrupt(FiberId.none))
  ),
  "an interruption, then a response": Effect.failCause(
    Cause.sequential(Cause.interrupt(FiberId.none), Cause.die(text("after it", { status: 409 })))
  ),
  "an interruption by the client": Effect.failCause(Cause.interrupt(HttpServerError.clientAbortFiberId)),
  "the same, and one that knows": Effect.failCause(
    Cause.parallel(Cause.interrupt(HttpServerError.clientAbortFiberId), Cause.fail(teapot))
  ),
  "a fiber that was interrupted": Effect.flatMap(
    Effect.fork(Effect.interruptible(Effect.never)),
    (fiber) => Effect.zipRight(Effect.yieldNow(), Effect.zipRight(Fiber.interrupt(fiber), Fiber.join(fiber)))
  ),
  "a timeout": Effect.timeout(Effect.interruptible(Effect.never), 1),
  "no cause": Effect.failCause(Cause.empty),
  "its own interruption": Effect.withFiberRuntime<never>((fiber) =>
    Effect.zipRight(
      Effect.sync(() => fiber.unsafeInterruptAsFork(FiberId.none)),
      Effect.interruptible(Effect.never)
    )
  ),
  "in a router": HttpRouter.empty.pipe(
    HttpRouter.get("/elsewhere", empty()),
    Effect.zipRight(Effect.never)
  ),
  "a deferred": Effect.flatMap(
    Deferred.make<never, Known>(),
    (deferred) => Effect.zipRight(Deferred.fail(deferred, teapot), Deferred.await(deferred))
  )
}

/** Bodies where the status says that there is none. */
const bodiless: Record<string, App> = {}
for (const status of [204, 205, 304]) {
  Object.assign(bodiless, {
    [`text with ${status}`]: () => text("hello", { status }),
    [`bytes with ${status}`]: () => uint8Array(new Uint8Array(5000), { status }),
    [`a stream with ${status}`]: () => stream(Stream.make(chunk), { status }),
    [`raw with ${status}`]: () => raw("raw", { status }),
    [`nothing with ${status}, and a length`]: () => empty({ status, headers: { "content-length": "3" } }),
    [`a failure with ${status}`]: () => Effect.fail(text("hello", { status }))
  })
}

const apps: Record<string, App> = {
  ...Object.fromEntries(Object.entries(failures).map(([name, failure]) => [name, () => failure])),
  ...bodiless
}

const close = "Connection: close"
const body = "{\"a\":"
const requests = [
  head("GET", "/", close),
  head("HEAD", "/", close),
  head("POST", "/", "Content-Type: application/json", `Content-Length: ${body.length}`, close) + body
]

const around = [undefined, "logger", "what has happened", "all caught", "a span"]

describe("what fails is the same as in @effect/platform-node", () => {
  for (const tracing of ["native", "recorded", "off"] as const) {
    for (const name of around) {
      it.scopedLive(`with tracing ${tracing}, ${name ?? "nothing"} around it`, () =>
        Effect.gen(function*() {
          const chosen: App = (journal) => {
            const made = new Map(Object.entries(apps).map(([name, app]) => [name, app(journal)]))
            return Effect.flatMap(request, ({ headers }) => made.get(headers["x-app"] ?? "") ?? empty({ status: 501 }))
          }
          const both = yield* servers({
            tracing,
            app: chosen,
            middleware: name === undefined ? undefined : middlewares[name]
          })
          for (const app of Object.keys(apps)) {
            for (const request of requests) {
              yield* same(both, request.replace("Host:", `X-App: ${app}\r\nHost:`), `${app}: ${request}`)
            }
          }
        }), 60_000)
    }
  }
})
