/** Tracers, as both lines of Effect have them. */
import * as Tracer from "effect/Tracer"

/** Another tracer that hears of each span, and may give another for it. */
export const tracerThat = (
  tracer: Tracer.Tracer,
  span: (name: string, make: () => Tracer.Span) => Tracer.Span
): Tracer.Tracer =>
  Tracer.make({
    span: (name, ...rest) => span(name, () => tracer.span(name, ...rest)),
    context: (f, fiber) => tracer.context(f, fiber)
  })
