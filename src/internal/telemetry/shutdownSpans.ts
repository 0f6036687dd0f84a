/**
 * The spans of a shutdown, through Effect's own tracer: one for each step. A tracer that throws must not take the
 * shutdown with it.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Tracer from "effect/Tracer"
import { makeSpan, nativeTracer } from "../effect/tracing.js"
import { DeadlineExceeded } from "../model/errors.js"
import { isFailure, type Report } from "../model/report.js"
import { clip, printDuration } from "../model/text.js"
import type { WatchedServer } from "./telemetry.js"

interface Options<A> {
  readonly root?: boolean
  readonly parent?: Tracer.AnySpan | undefined
  readonly attributes?: Readonly<Record<string, unknown>>
  readonly onStart?: (span: Tracer.AnySpan) => void
  /** What is known at the end; and how the span ends, if not as the step does. */
  readonly onSuccess?: (span: Tracer.Span, value: A) => Exit.Exit<unknown, unknown> | undefined
}

/** Runs one step of the shutdown in a span of its own, where there is a tracer. */
export const step =
  <A>(name: string, options: Options<A> = {}) => <E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
    Effect.flatMap(Effect.tracer, (tracer) =>
      // errors would be wrapped for spans at which nobody looks
      tracer === nativeTracer ? effect : Effect.acquireUseRelease(
        begin(name, options),
        (span) => span === undefined ? effect : Effect.withParentSpan(effect, span),
        (span, exit) => span === undefined ? Effect.void : end(span, exit, options.onSuccess)
      ))

const begin = <A>(name: string, { attributes, onStart, parent, root }: Options<A>) =>
  makeSpan(`quiesce.${name}`, { root: root === true, parent, attributes }).pipe(
    Effect.tap((span) => Effect.sync(() => onStart?.(span))),
    Effect.catchAllCause(() => Effect.succeed(undefined))
  )

const end = <A>(
  span: Tracer.Span,
  exit: Exit.Exit<A, unknown>,
  onSuccess: Options<A>["onSuccess"]
): Effect.Effect<void> =>
  Effect.clockWith((clock) =>
    Effect.sync(() => {
      const other = Exit.isSuccess(exit) ? onSuccess?.(span, exit.value) : undefined
      span.end(clock.unsafeCurrentTimeNanos(), other ?? exit)
    })
  ).pipe(Effect.catchAllCause(() => Effect.void))

/** How many requests the attributes name. */
const listed = 20

/** The whole of it. Nobody's child: what built the server has ended long ago, or never will. */
export const shutdownSpan = ({ policy, registry }: WatchedServer) =>
  step<Report>("shutdown", {
    root: true,
    attributes: {
      "quiesce.connections.open": registry.connections.size,
      "quiesce.policy.lame_duck": policy.lameDuck,
      ...(Number.isFinite(policy.timeout) ? { "quiesce.policy.timeout": policy.timeout } : undefined)
    },
    onSuccess: (span, report) => {
      const { connections, cut, forceClosed, handlers, outcome, served } = report
      span.attribute("quiesce.outcome", outcome)
      span.attribute("quiesce.requests.served", served)
      span.attribute("quiesce.requests.cut", cut.length)
      span.attribute("quiesce.connections.accepted", connections.accepted)
      span.attribute("quiesce.connections.completed", connections.completed)
      span.attribute("quiesce.connections.idle_closed", connections.idleClosed)
      span.attribute("quiesce.connections.cut", connections.cut)
      span.attribute("quiesce.connections.force_closed", forceClosed.length)
      span.attribute("quiesce.handlers.interrupted", handlers.interrupted)
      span.attribute("quiesce.handlers.abandoned", handlers.abandoned)
      if (cut.length > 0) {
        span.attribute(
          "quiesce.cut",
          cut.slice(0, listed).map(({ age, clientReceived, method, path, remoteAddress }) =>
            `${clip(method)} ${clip(path)} from ${remoteAddress} after ${printDuration(age)} (${clientReceived})`
          )
        )
      }
      return isFailure(report) ? Exit.fail(new DeadlineExceeded({ report })) : undefined
    }
  })

/** A hook, in the step in which the hooks start; whoever registers one late is in time for none. */
export const hookSpan = ({ telemetry }: WatchedServer, name: string) =>
  step("hook", { parent: telemetry.draining, attributes: { "quiesce.hook": name } })
