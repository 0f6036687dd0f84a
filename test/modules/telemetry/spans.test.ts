import { describe, expect, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as TestClock from "effect/TestClock"
import * as Tracer from "effect/Tracer"
import { tracerThat } from "../../support/effect/tracers.js"
import { makeApp, servingHeld } from "../../support/handlers.js"
import { client, get, send, serving, silent, untilPhase } from "../../support/running.js"

// A shutdown is a trace: one span for it, and one for each step.

/** A tracer that keeps what ends, in the order of the ends. */
const recording = Effect.map(Effect.tracer, (native) => {
  const started: Array<Tracer.Span> = []
  const ended: Array<Tracer.Span> = []
  const tracer = tracerThat(native, (_name, make) => {
    const span = make()
    const { end } = span
    started.push(span)
    span.end = (...args) => {
      ended.push(span)
      end.apply(span, args)
    }
    return span
  })
  const own = (spans: ReadonlyArray<Tracer.Span>) => spans.filter(({ name }) => name.startsWith("quiesce."))
  return {
    layer: Layer.setTracer(tracer),
    own: () => own(ended),
    open: () => started.length - ended.length,
    find: (name: string) => ended.find((span) => span.name === name),
    parentOf: (name: string) =>
      Option.getOrUndefined(
        Option.map(
          Option.fromNullable(ended.find((span) => span.name === name)?.parent).pipe(Option.flatten),
          (parent) => parent._tag === "Span" ? parent.name : parent._tag
        )
      )
  }
})

const millis = (span: Tracer.Span | undefined): number | undefined =>
  span?.status._tag === "Ended" ? Number(span.status.endTime - span.status.startTime) / 1e6 : undefined

describe("the spans of a shutdown", () => {
  it.scoped("are one for each step, with a hook's own below it, and say what happened", () =>
    Effect.gen(function*() {
      const spans = yield* recording
      yield* Effect.gen(function*() {
        const { app, gate } = makeApp()
        const { interrupt, report, server, target } = yield* serving(app, {
          lameDuck: "5 seconds",
          timeout: "10 seconds"
        })
        yield* server.onShutdown("flush", Effect.withSpan(Effect.sleep("2 seconds"), "write"))
        const slow = yield* client(target)
        yield* send(slow, get("/hold"))
        yield* gate.untilStarted(1)
        yield* interrupt
        yield* untilPhase(server, "LameDuck")
        yield* TestClock.adjust("5 seconds")
        yield* untilPhase(server, "Draining")
        while (spans.find("quiesce.close_listeners") === undefined) {
          yield* Effect.promise(() => new Promise(setImmediate))
        }
        yield* TestClock.adjust("2 seconds")
        yield* gate.open
        yield* report
      }).pipe(Effect.scoped, Effect.provide(spans.layer))
      expect(spans.own().map(({ name }) => name)).toEqual([
        "quiesce.lame_duck",
        "quiesce.close_listeners",
        "quiesce.hook",
        "quiesce.wait",
        "quiesce.draining",
        "quiesce.shutdown"
      ])
      expect(spans.open()).toBe(0)
      expect(
        ["shutdown", "lame_duck", "draining", "close_listeners", "hook", "wait"].map((name) =>
          spans.parentOf(`quiesce.${name}`)
        )
      ).toEqual([
        undefined,
        "quiesce.shutdown",
        "quiesce.shutdown",
        "quiesce.draining",
        "quiesce.draining",
        "quiesce.draining"
      ])
      expect(spans.parentOf("write")).toBe("quiesce.hook")
      expect(millis(spans.find("quiesce.lame_duck"))).toBe(5000)
      expect(millis(spans.find("quiesce.hook"))).toBe(2000)
      expect(spans.find("quiesce.hook")?.attributes.get("quiesce.hook")).toBe("flush")
      expect(Object.fromEntries(spans.find("quiesce.shutdown")?.attributes ?? [])).toMatchObject({
        "quiesce.outcome": "Drained",
        "quiesce.connections.open": 1,
        "quiesce.connections.completed": 1,
        "quiesce.requests.served": 1,
        "quiesce.requests.cut": 0
      })
    }).pipe(Effect.provide(silent)))

  it.scoped("say that the deadline was exceeded, and by what", () =>
    Effect.gen(function*() {
      const spans = yield* recording
      yield* Effect.gen(function*() {
        const { running } = yield* servingHeld({ timeout: "10 seconds" })
        yield* running.drain
        yield* TestClock.adjust("10 seconds")
        yield* running.report
      }).pipe(Effect.scoped, Effect.provide(spans.layer))
      expect(spans.own().map(({ name }) => name).slice(-3)).toEqual([
        "quiesce.draining",
        "quiesce.kill",
        "quiesce.shutdown"
      ])
      expect(spans.open()).toBe(0)
      const shutdown = spans.find("quiesce.shutdown")
      expect(shutdown?.status._tag === "Ended" && Exit.isFailure(shutdown.status.exit)).toBe(true)
      expect(shutdown?.attributes.get("quiesce.cut")).toEqual([
        expect.stringMatching(/^GET \/hold from 127\.0\.0\.1:\d+ after 10s \(503\)$/)
      ])
    }).pipe(Effect.provide(silent)))

  it.scoped("are nothing where there is no tracer: what a hook failed with is the very same", () =>
    Effect.gen(function*() {
      const { server, stop } = yield* serving(makeApp().app)
      const failure = { reason: "nobody there" }
      yield* server.onShutdown("notify", Effect.fail(failure))
      const { hooks } = yield* stop
      const cause = Option.getOrThrow(hooks[0]?.cause ?? Option.none())
      expect(Option.getOrUndefined(Cause.failureOption(cause))).toBe(failure)
    }).pipe(Effect.provide(silent)))

  it.scoped("cannot harm it: a tracer that throws is nobody's loss", () =>
    Effect.gen(function*() {
      const native = yield* Effect.tracer
      const broken = tracerThat(native, (name, make) => {
        if (name === "quiesce.draining") throw new Error("no more spans")
        const span = make()
        if (!name.startsWith("quiesce.")) return span
        return Object.assign(Object.create(span), {
          end: () => {
            throw new Error("no way to send it")
          }
        })
      })
      const { server, stop } = yield* Effect.provide(serving(makeApp().app), Layer.setTracer(broken))
      yield* server.onShutdown("well", Effect.void)
      expect(yield* stop).toMatchObject({ outcome: "Drained", hooks: [{ outcome: "Succeeded" }] })
    }).pipe(Effect.provide(silent)))
})
