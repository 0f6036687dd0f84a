import * as Tracer from "effect/Tracer"

export const tracerThat = (
  tracer: Tracer.Tracer,
  span: (name: string, make: () => Tracer.Span) => Tracer.Span
): Tracer.Tracer => Tracer.make({ ...tracer, span: (options) => span(options.name, () => tracer.span(options)) })
