import * as Effect from "effect/Effect"
import * as Tracer from "effect/Tracer"

/** Effect's own, which keeps spans where nobody looks. */
export const nativeTracer: Tracer.Tracer = Tracer.nativeTracer

export const makeSpan = (
  name: string,
  options: Pick<Tracer.SpanOptions, "root" | "parent" | "attributes">
): Effect.Effect<Tracer.Span> => Effect.makeSpan(name, options)
