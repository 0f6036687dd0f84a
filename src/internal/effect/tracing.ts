/**
 * Tracing. Effect 3 keeps its own tracer among its default services, and Effect 4 has a name for it; only Effect 3 looks
 * for the line of code that makes a span.
 */
import * as Context from "effect/Context"
import * as DefaultServices from "effect/DefaultServices"
import * as Effect from "effect/Effect"
import * as Tracer from "effect/Tracer"

/** Effect's own tracer, which keeps spans where nobody looks. */
export const nativeTracer: Tracer.Tracer = Context.get(DefaultServices.liveServices, Tracer.Tracer)

/** A span without the line of code that makes it. */
export const makeSpan = (
  name: string,
  options: Pick<Tracer.SpanOptions, "attributes" | "parent" | "root">
): Effect.Effect<Tracer.Span> => Effect.makeSpan(name, { ...options, captureStackTrace: false })
