/**
 * Which span a request gets: none where the app says so, one that is written at once where a tracer has been installed
 * to receive it, and else one that is written when somebody looks.
 */
import * as Headers from "@effect/platform/Headers"
import * as HttpMiddleware from "@effect/platform/HttpMiddleware"
import type { HttpServerRequest } from "@effect/platform/HttpServerRequest"
import type { HttpServerResponse } from "@effect/platform/HttpServerResponse"
import * as HttpTraceContext from "@effect/platform/HttpTraceContext"
import * as Chunk from "effect/Chunk"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as DefaultServices from "effect/DefaultServices"
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import * as FiberRef from "effect/FiberRef"
import * as FiberRefs from "effect/FiberRefs"
import { constFalse } from "effect/Function"
import * as HashMap from "effect/HashMap"
import * as Option from "effect/Option"
import type * as Runtime from "effect/Runtime"
import * as Tracer from "effect/Tracer"
import { answered, received } from "./attributes.js"
import { type Later as LazySpanFactory, RequestSpan } from "./requestSpan.js"

export interface Spans {
  readonly begin: (request: HttpServerRequest) => Tracer.Span | undefined
  readonly end: (span: Tracer.Span, exit: Exit.Exit<HttpServerResponse, unknown>) => void
  /** Somebody listens, and is told when a response has been sent. */
  readonly recorded: boolean
}

const native = Context.get(DefaultServices.liveServices, Tracer.Tracer)

/** All that decides about it is known when the app is served. */
export const make = ({ context, fiberRefs }: Runtime.Runtime<never>): Spans => {
  const of = <A>(ref: FiberRef.FiberRef<A>): A => FiberRefs.getOrDefault(fiberRefs, ref)
  const services = of(DefaultServices.currentServices)
  const tracer = Context.get(services, Tracer.Tracer)
  const clock = Context.get(services, Clock.Clock)
  const isEnabled = of(FiberRef.currentTracerEnabled)
  const isTimed = of(FiberRef.currentTracerTimingEnabled)
  const annotations = of(FiberRef.currentTracerSpanAnnotations)
  const links = Chunk.toReadonlyArray(of(FiberRef.currentTracerSpanLinks))
  const isDisabled = of(HttpMiddleware.currentTracerDisabledWhen)
  const redactedNames = of(Headers.currentRedactedNames)
  const isNamed = context.unsafeMap.has(HttpMiddleware.SpanNameGenerator.key)
  const nameOf = Context.get(context, HttpMiddleware.SpanNameGenerator)
  const outer = propagated(Context.getOption(context, Tracer.ParentSpan))

  const span = (request: HttpServerRequest, startTime: bigint): Tracer.Span => {
    const name = nameOf(request)
    const from = HttpTraceContext.fromHeaders(request.headers)
    const options = { parent: Option.getOrUndefined(from), kind: "server", captureStackTrace: false } as const
    const parent = Option.orElse(from, () => outer)
    const span = tracer.span(name, parent, Context.empty(), links, startTime, "server", options)
    HashMap.forEach(annotations, (value, key) => span.attribute(key, value))
    return span
  }
  const now = () => isTimed ? clock.unsafeCurrentTimeNanos() : 0n
  const none = (request: HttpServerRequest) => noSpan(nameOf(request), request, outer)

  const later: LazySpanFactory | undefined = !isEnabled
    ? { make: none, now, redactedNames }
    : tracer === native
    ? { make: span, now, redactedNames }
    : undefined
  // what gives the spans their names, or does without them, is the user's own, and is asked at the usual time
  if (later !== undefined && !isNamed && isDisabled === constFalse) {
    return {
      begin: (request) => new RequestSpan(request, later),
      end: (span, exit) => span instanceof RequestSpan && span.finish(exit),
      recorded: false
    }
  }
  return {
    begin: (request) => {
      if (isDisabled(request)) return undefined
      if (!isEnabled) return none(request)
      const begun = span(request, now())
      received(begun, request, redactedNames)
      return begun
    },
    end: (span, exit) => {
      answered(span, exit, redactedNames)
      if (span.status._tag !== "Ended") span.end(now(), exit)
    },
    recorded: true
  }
}

/** As Effect finds the parent of a new span: one that is not to be continued is skipped. */
const propagated = (span: Option.Option<Tracer.AnySpan>): Option.Option<Tracer.AnySpan> =>
  Option.flatMap(span, (span) =>
    !Context.get(span.context, Tracer.DisablePropagation)
      ? Option.some(span)
      : span._tag === "Span"
      ? propagated(span.parent)
      : Option.none())

/** Effect's own stand-in where tracing is off: an example of it, with the name and parent of this request. */
const noSpan = (
  name: string,
  request: HttpServerRequest,
  outer: Option.Option<Tracer.AnySpan>
): Tracer.Span => {
  const parent = Option.orElse(HttpTraceContext.fromHeaders(request.headers), () => outer)
  return Object.assign(Object.create(Object.getPrototypeOf(exampleOfNone)) as Tracer.Span, {
    name,
    parent,
    context: exampleOfNone.context
  })
}

const exampleOfNone = Effect.runSync(Effect.withTracerEnabled(Effect.makeSpan(""), false))
