/**
 * Apps that use what surrounds a request: its scope, its span, its log, its body, its fiber.
 */
import {
  HttpApp,
  HttpIncomingMessage,
  HttpMiddleware,
  HttpServerRequest,
  HttpServerResponse,
  HttpTraceContext
} from "@effect/platform"
import { NodeHttpServerRequest } from "@effect/platform-node"
import { Effect, Exit, Fiber, FiberRef, Option, Scope, Stream, Tracer } from "effect"
import * as HttpRouter from "../../../support/effect/httpRouter.js"
import { type App, exitText, type Journal } from "./observe.js"

const { text, unsafeJson } = HttpServerResponse
const hello = Effect.sync(() => text("hello"))
const request = HttpServerRequest.HttpServerRequest

/** All of a span, and of those above it; with Effect's own tracer, ids are random. */
const spanText = (span: Tracer.AnySpan): unknown =>
  span._tag === "ExternalSpan" ? [span._tag, span.traceId, span.spanId, span.sampled] : [
    span.name,
    span.kind,
    span.sampled,
    [...span.attributes],
    span.traceId.length,
    span.spanId.length,
    span.status._tag,
    span.status._tag === "Ended" ? exitText(span.status.exit) : "",
    Option.map(span.parent, (parent) => [spanText(parent), parent.traceId === span.traceId]).pipe(Option.getOrNull)
  ]

const noted = (journal: Journal, what: string) => Effect.sync(() => journal(what))

export const effects: Record<string, App> = {
  "finalizers": (journal) =>
    Effect.zipRight(
      Effect.zipRight(
        Effect.addFinalizer((exit) => noted(journal, `first: ${exitText(exit)}`)),
        Effect.addFinalizer((exit) => Effect.delay(noted(journal, `second: ${exitText(exit)}`), 1))
      ),
      hello
    ),
  "a finalizer, and a failure": (journal) =>
    Effect.zipRight(Effect.addFinalizer((exit) => noted(journal, exitText(exit))), Effect.fail("no")),
  "a finalizer that dies": () => Effect.zipRight(Effect.addFinalizer(() => Effect.die("in the finalizer")), hello),
  "a finalizer that dies, and a failure": () =>
    Effect.zipRight(Effect.addFinalizer(() => Effect.die("in the finalizer")), Effect.fail("no")),
  "a finalizer that is added too late": (journal) =>
    Effect.gen(function*() {
      const scope = yield* Effect.scope
      yield* Effect.forkDaemon(Effect.delay(
        Effect.zipRight(
          noted(journal, "late"),
          Scope.addFinalizerExit(scope, (exit) => noted(journal, `at once: ${exitText(exit)}`))
        ),
        30
      ))
      return text("hello")
    }),
  "a scope that is forked": (journal) =>
    Effect.gen(function*() {
      const child = yield* Effect.flatMap(Effect.scope, (scope) => Scope.fork(scope, { _tag: "Sequential" } as never))
      yield* Scope.addFinalizer(child, noted(journal, "the child has closed"))
      return text("hello")
    }),
  "a scope that is ejected": (journal) =>
    Effect.gen(function*() {
      const scope = yield* Effect.scope
      HttpApp.ejectDefaultScopeClose(scope)
      yield* Effect.addFinalizer((exit) => noted(journal, `ejected: ${exitText(exit)}`))
      yield* Effect.forkDaemon(Effect.delay(Scope.close(scope as Scope.CloseableScope, Exit.succeed("later")), 20))
      return text("hello")
    }),
  "a scope that is ejected, and used later": (journal) =>
    Effect.gen(function*() {
      const scope = yield* Effect.scope
      HttpApp.ejectDefaultScopeClose(scope)
      yield* Effect.forkDaemon(Effect.delay(
        Effect.zipRight(
          Scope.addFinalizer(scope, noted(journal, "closed")),
          Effect.zipRight(noted(journal, "closing"), Scope.close(scope as Scope.CloseableScope, Exit.void))
        ),
        20
      ))
      return text("hello")
    }),
  "the scope of a stream": (journal) =>
    Effect.gen(function*() {
      yield* Effect.addFinalizer(() => noted(journal, "closed"))
      return HttpApp.unsafeEjectStreamScope(HttpServerResponse.stream(Stream.make(new TextEncoder().encode("a"))))
    }),
  "a child": (journal) =>
    Effect.gen(function*() {
      yield* Effect.fork(
        Effect.interruptible(Effect.never).pipe(Effect.onExit((exit) => noted(journal, `child: ${exitText(exit)}`)))
      )
      yield* Effect.yieldNow()
      return text("hello")
    }),
  "a child in the scope": (journal) =>
    Effect.gen(function*() {
      yield* Effect.forkScoped(
        Effect.interruptible(Effect.never).pipe(Effect.onExit((exit) => noted(journal, `child: ${exitText(exit)}`)))
      )
      yield* Effect.yieldNow()
      return text("hello")
    }),
  "a joined child": () => Effect.flatMap(Effect.fork(Effect.delay(hello, 1)), Fiber.join),
  "in parallel": () =>
    Effect.map(
      Effect.all([Effect.delay(Effect.succeed(1), 2), Effect.succeed(2)], { concurrency: "unbounded" }),
      (numbers) => unsafeJson(numbers)
    ),
  "the current span": (journal) =>
    Effect.gen(function*() {
      const span = yield* Effect.currentSpan
      yield* Effect.annotateCurrentSpan("own", 1)
      journal(spanText(span))
      journal(Object.keys(HttpTraceContext.toHeaders(span)))
      span.event("an event", 0n)
      yield* Effect.forkDaemon(Effect.delay(Effect.sync(() => journal(spanText(span))), 30))
      return text("hello", { headers: { "x-two": "2", "set-cookie": "secret" } })
    }),
  "the current span, looked at afterwards": (journal) =>
    Effect.gen(function*() {
      const span = yield* Effect.currentSpan
      yield* Effect.annotateCurrentSpan("own", 1)
      yield* Effect.forkDaemon(Effect.delay(Effect.sync(() => journal(spanText(span))), 30))
      return text("hello")
    }),
  "the current span, looked at after a failure": (journal) =>
    Effect.gen(function*() {
      const span = yield* Effect.currentSpan
      yield* Effect.forkDaemon(Effect.delay(Effect.sync(() => journal(spanText(span))), 30))
      return yield* Effect.fail("no")
    }),
  "a span within": (journal) =>
    Effect.withSpan(
      Effect.flatMap(
        Effect.currentSpan,
        (span) => Effect.as(Effect.sync(() => journal(spanText(span))), text("hello"))
      ),
      "inner",
      { attributes: { a: 1 }, captureStackTrace: false }
    ),
  "a span that is linked": (journal) =>
    Effect.gen(function*() {
      const parent = yield* Effect.currentParentSpan
      const span = yield* Effect.makeSpan("other", { root: true, captureStackTrace: false })
      yield* Effect.linkSpanCurrent(span)
      journal([parent._tag, (yield* Effect.currentSpan).links.length])
      return text("hello")
    }),
  "a failure within a span": () => Effect.withSpan(Effect.fail("no"), "inner", { captureStackTrace: false }),
  "logs": () =>
    Effect.gen(function*() {
      yield* Effect.log("one", "two")
      yield* Effect.logDebug("three").pipe(Effect.annotateLogs("a", 1), Effect.withLogSpan("span"))
      return text("hello")
    }),
  "the request": (journal) =>
    Effect.gen(function*() {
      const own = yield* request
      const source = NodeHttpServerRequest.toIncomingMessage(own)
      journal([own.toString(), own.toJSON(), Object.keys(own), Object.getOwnPropertyNames(Object.getPrototypeOf(own))])
      return unsafeJson({
        method: own.method,
        url: own.url,
        originalUrl: own.originalUrl,
        headers: own.headers,
        cookies: own.cookies,
        remoteAddress: own.remoteAddress,
        source: source.url,
        response: NodeHttpServerRequest.toServerResponse(own).req === source,
        toURL: Option.map(HttpServerRequest.toURL(own), String)
      })
    }),
  "a modified request": () =>
    Effect.gen(function*() {
      const own = (yield* request).modify({ url: "/other", remoteAddress: "1.2.3.4" })
      return unsafeJson([own.method, own.url, own.originalUrl, own.headers, own.remoteAddress, yield* own.text])
    }).pipe(Effect.interruptible),
  "its text": () => Effect.map(Effect.flatMap(request, (_) => Effect.all([_.text, _.text])), (_) => unsafeJson(_)),
  "its json": () => Effect.map(Effect.flatMap(request, (_) => _.json), (_) => unsafeJson(_)),
  "its parameters": () => Effect.map(Effect.flatMap(request, (_) => _.urlParamsBody), (_) => unsafeJson(_)),
  "its bytes": () => Effect.map(Effect.flatMap(request, (_) => _.arrayBuffer), (_) => unsafeJson(_.byteLength)),
  "its stream": () => Effect.map(request, (_) => HttpServerResponse.stream(_.stream)),
  "its body, of too much": () =>
    Effect.map(Effect.flatMap(request, (_) => _.text), text).pipe(HttpIncomingMessage.withMaxBodySize(Option.some(2))),
  "its form": () => Effect.map(Effect.flatMap(request, (_) => _.multipart), (_) => unsafeJson(Object.keys(_))),
  "its body, unread": () => hello,
  "fiber references": (journal) =>
    Effect.gen(function*() {
      const ref = yield* FiberRef.make(1)
      yield* FiberRef.set(ref, 2)
      journal(yield* FiberRef.get(ref))
      yield* HttpMiddleware.withLoggerDisabled(Effect.void)
      return text("hello")
    }),
  "a router": (journal) =>
    HttpRouter.empty.pipe(
      HttpRouter.get("/", hello),
      HttpRouter.post("/", Effect.fail("no")),
      HttpRouter.get(
        "/users/:id",
        Effect.gen(function*() {
          const { params, route } = yield* HttpRouter.RouteContext
          const search = yield* HttpServerRequest.ParsedSearchParams
          journal(spanText(yield* Effect.orDie(Effect.currentSpan)))
          return unsafeJson([params, route.path, search, (yield* request).url])
        }).pipe(Effect.catchAllDefect(() => Effect.succeed(text("no span"))))
      ),
      HttpRouter.mount(
        "/mounted",
        HttpRouter.empty.pipe(HttpRouter.get("/a", Effect.map(request, (_) => text(_.url))))
      ),
      HttpRouter.prefixAll("/p"),
      HttpRouter.concat(HttpRouter.empty.pipe(HttpRouter.get("/", hello), HttpRouter.get("/never", Effect.never)))
    )
}
