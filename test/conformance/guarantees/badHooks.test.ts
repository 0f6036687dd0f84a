import * as HttpServer from "@effect/platform/HttpServer"
import { describe, expect, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Scope from "effect/Scope"
import * as TestClock from "effect/TestClock"
import { createServer } from "node:http"
import { NodeHttpServer, Server, type Shutdown } from "../../../src/index.js"
import { makeApp } from "../../support/handlers.js"
import { client, get, idleAfterOne, launch, real, send, serving, until, untilPhase } from "../../support/running.js"

// Hooks that fail, die, hang, or cannot be interrupted never stop a shutdown, nor make it fail; what became of each
// is in the report.

const policy = { timeout: "10 seconds", killTimeout: "2 seconds" } as const

const short = (report: Shutdown.Report) =>
  report.hooks.map(({ duration, name, outcome }) => [name, outcome, Duration.toMillis(duration)])

describe("bad hooks", () => {
  it.scoped("that fail or die have their cause in the report, and the others run", () =>
    Effect.gen(function*() {
      const { server, stop } = yield* serving(makeApp().app, policy)
      const defect = new Error("a defect")
      yield* server.onShutdown("fails", Effect.fail("a failure"))
      yield* server.onShutdown("dies", Effect.die(defect))
      yield* server.onShutdown(
        "throws",
        Effect.sync(() => {
          throw defect
        })
      )
      yield* server.onShutdown("interrupts itself", Effect.interrupt)
      yield* server.onShutdown("is well", Effect.succeed("done"))
      const report = yield* stop
      expect(report.outcome).toBe("Drained")
      expect(report.hooks.slice(0, 3)).toEqual([
        { name: "fails", outcome: "Failed", duration: Duration.zero, cause: Option.some(Cause.fail("a failure")) },
        { name: "dies", outcome: "Failed", duration: Duration.zero, cause: Option.some(Cause.die(defect)) },
        { name: "throws", outcome: "Failed", duration: Duration.zero, cause: Option.some(Cause.die(defect)) }
      ])
      expect(short(report).slice(3)).toEqual([["interrupts itself", "Failed", 0], ["is well", "Succeeded", 0]])
      expect(report.hooks[4]?.cause).toEqual(Option.none())
    }))

  it.scoped("that hang are interrupted at the deadline", () =>
    Effect.gen(function*() {
      const { drain, report, server } = yield* serving(makeApp().app, policy)
      let interrupted = 0
      yield* server.onShutdown("hangs", Effect.onInterrupt(Effect.never, () => Effect.sync(() => interrupted++)))
      yield* drain
      yield* TestClock.adjust("9999 millis")
      expect(interrupted).toBe(0)
      yield* TestClock.adjust("1 millis")
      const ended = yield* report
      expect(interrupted).toBe(1)
      expect(ended).toMatchObject({ outcome: "Drained", cut: [], duration: Duration.seconds(10) })
      expect(short(ended)).toEqual([["hangs", "TimedOut", 10_000]])
    }))

  it.scoped("that are not interrupted in the end are abandoned after the kill timeout", () =>
    Effect.gen(function*() {
      const { drain, report, server } = yield* serving(makeApp().app, policy)
      yield* server.onShutdown("cannot be interrupted", Effect.uninterruptible(Effect.never))
      yield* server.onShutdown("hangs in its finalizer", Effect.onInterrupt(Effect.never, () => Effect.never))
      yield* drain
      yield* TestClock.adjust("12 seconds")
      // their scope waits for them no longer
      const ended = yield* report
      expect(ended).toMatchObject({ outcome: "Drained", killing: Duration.seconds(2) })
      expect(short(ended)).toEqual([
        ["cannot be interrupted", "Abandoned", 12_000],
        ["hangs in its finalizer", "Abandoned", 12_000]
      ])
    }))

  it.scoped("that take their time to be interrupted are waited for, within the kill timeout", () =>
    Effect.gen(function*() {
      const { drain, report, server } = yield* serving(makeApp().app, policy)
      yield* server.onShutdown("slow to end", Effect.onInterrupt(Effect.never, () => Effect.sleep("1 second")))
      yield* drain
      yield* TestClock.adjust("11 seconds")
      const ended = yield* report
      expect(ended.duration).toEqual(Duration.seconds(11))
      expect(short(ended)).toEqual([["slow to end", "TimedOut", 11_000]])
    }))

  it.scoped("are interrupted at a limit of their own, which does not end the drain", () =>
    Effect.gen(function*() {
      const { app, gate } = makeApp()
      const running = yield* serving(app, policy)
      yield* running.server.onShutdown("limited", Effect.never, { timeout: "3 seconds" })
      yield* running.server.onShutdown("in time", Effect.sleep("2 seconds"), { timeout: "3 seconds" })
      yield* send(yield* client(running.target), get("/hold"))
      yield* gate.untilStarted(1)
      yield* running.drain
      yield* TestClock.adjust("4 seconds")
      expect(yield* running.server.phase.get).toBe("Draining")
      yield* gate.open
      const report = yield* running.report
      expect(report).toMatchObject({ outcome: "Drained", duration: Duration.seconds(4) })
      expect(short(report)).toEqual([["limited", "TimedOut", 3000], ["in time", "Succeeded", 2000]])
    }))
})

describe("a hook that is registered late", () => {
  it.scoped("in the lame duck runs when draining starts", () =>
    Effect.gen(function*() {
      const { interrupt, report, server } = yield* serving(makeApp().app, { ...policy, lameDuck: "5 seconds" })
      yield* interrupt
      yield* untilPhase(server, "LameDuck")
      yield* TestClock.adjust("1 second")
      let at = -1
      yield* server.onShutdown(
        "late",
        Effect.map(TestClock.currentTimeMillis, (now) => {
          at = now
        })
      )
      yield* TestClock.adjust("3 seconds")
      expect(at).toBe(-1)
      yield* TestClock.adjust("1 second")
      expect(short(yield* report)).toEqual([["late", "Succeeded", 0]])
      expect(at).toBe(5000)
    }))

  it.scoped("during the drain is awaited, and bounded by the deadline", () =>
    Effect.gen(function*() {
      const { app, gate } = makeApp()
      const running = yield* serving(app, policy)
      yield* send(yield* client(running.target), get("/hold"))
      yield* gate.untilStarted(1)
      yield* running.drain
      yield* TestClock.adjust("4 seconds")
      yield* running.server.onShutdown("late", Effect.never)
      yield* gate.open
      yield* TestClock.adjust("6 seconds")
      const report = yield* running.report
      expect(report).toMatchObject({ outcome: "Drained", duration: Duration.seconds(10) })
      expect(short(report)).toEqual([["late", "TimedOut", 6000]])
    }))

  it.scoped("after the end runs at once, and its scope waits for it", () =>
    Effect.gen(function*() {
      const server = yield* Server.make(policy)
      const { hooks } = yield* real("the report", server.shutdown)
      const scope = yield* Scope.make()
      let ran = 0
      yield* Scope.extend(server.onShutdown("later", Effect.sync(() => ran++)), scope)
      yield* real("the scope", Scope.close(scope, Exit.void))
      expect(ran).toBe(1)
      expect(hooks).toEqual([])
    }))

  it.scoped("after the end, and hangs, is bounded by the timeout of the policy or its own", () =>
    Effect.gen(function*() {
      const server = yield* Server.make(policy)
      yield* real("the report", server.shutdown)
      for (const [timeout, millis] of [[undefined, 10_000], ["3 seconds", 3000]] as const) {
        const scope = yield* Scope.make()
        const stuck = Effect.uninterruptible(Effect.never)
        yield* Scope.extend(server.onShutdown("later", stuck, { timeout }), scope)
        const closing = yield* Effect.fork(Scope.close(scope, Exit.void))
        yield* TestClock.adjust(millis - 1)
        expect(closing.unsafePoll()).toBe(null)
        yield* TestClock.adjust(1)
        yield* real("the scope", Fiber.join(closing))
      }
    }))
})

describe("the scope that a hook was registered in", () => {
  it.scoped("takes it back when it closes before the start", () =>
    Effect.gen(function*() {
      const { server, stop } = yield* serving(makeApp().app, policy)
      let ran = 0
      const scope = yield* Scope.make()
      yield* Scope.extend(server.onShutdown("gone", Effect.sync(() => ran++)), scope)
      yield* Scope.close(scope, Exit.void)
      expect((yield* stop).hooks).toEqual([])
      expect(ran).toBe(0)
    }))

  it.scoped("waits for it when it closes while the hook runs, so that what the hook uses is there", () =>
    Effect.gen(function*() {
      const { drain, report, server } = yield* serving(makeApp().app, policy)
      const log: Array<string> = []
      const scope = yield* Scope.make()
      yield* Scope.addFinalizer(scope, Effect.sync(() => log.push("resource released")))
      const hook = Effect.zipRight(Effect.sleep("3 seconds"), Effect.sync(() => log.push("hook ended")))
      yield* Scope.extend(server.onShutdown("uses it", hook), scope)
      yield* drain
      const closing = yield* Effect.fork(Scope.close(scope, Exit.void))
      yield* TestClock.adjust("3 seconds")
      yield* real("the scope", Fiber.join(closing))
      expect(log).toEqual(["hook ended", "resource released"])
      expect(short(yield* report)).toEqual([["uses it", "Succeeded", 3000]])
    }))

  for (const [when, lameDuck] of [["", 0], [", also with a lame duck", 5000]] as const) {
    it.scoped(`may close at the same time as the server's, and the hook still runs${when}`, () =>
      Effect.gen(function*() {
        let ran = 0
        const log: Array<string> = []
        const count = Layer.scopedDiscard(Effect.flatMap(Server.Server, (server) =>
          Effect.zipRight(
            Effect.addFinalizer(() => Effect.sync(() => log.push("resource released"))),
            server.onShutdown(
              "count",
              Effect.sync(() => {
                ran++
                log.push("hook ended")
              })
            )
          )))
        const address = { host: "127.0.0.1", port: 0 }
        const running = yield* launch(
          Layer.merge(HttpServer.serve(makeApp().app), count).pipe(
            Layer.provideMerge(NodeHttpServer.layer(() => createServer(), { ...address, ...policy, lameDuck }))
          ),
          () => ({ port: 0 })
        )
        yield* running.interrupt
        yield* untilPhase(running.server, "LameDuck", "Draining", "Closed")
        yield* TestClock.adjust(lameDuck)
        const report = yield* running.report
        expect(short(report)).toEqual([["count", "Succeeded", 0]])
        expect(ran).toBe(1)
        expect(log).toEqual(["hook ended", "resource released"])
      }))
  }

  it.scoped("does not hang when the server is closed before the hook was started", () =>
    Effect.gen(function*() {
      const { interrupt, server } = yield* serving(makeApp().app, { ...policy, lameDuck: "5 seconds" })
      let ran = 0
      const scope = yield* Scope.make()
      yield* Scope.extend(server.onShutdown("never", Effect.sync(() => ran++)), scope)
      yield* interrupt
      yield* untilPhase(server, "LameDuck")
      const closing = yield* Effect.fork(Scope.close(scope, Exit.void))
      const report = yield* real("the close", server.close)
      yield* real("the scope", Fiber.join(closing))
      expect(report).toMatchObject({ outcome: "Closed", hooks: [] })
      expect(ran).toBe(0)
    }))

  it.scoped("gives the hook what was around it when it was registered", () =>
    Effect.gen(function*() {
      class Name extends Context.Tag("test/Name")<Name, string>() {}
      const { server, stop } = yield* serving(makeApp().app, policy)
      let seen = ""
      const hook = Effect.map(Name, (name) => {
        seen = name
      })
      yield* Effect.provideService(server.onShutdown("named", hook), Name, "the registrar's")
      yield* stop
      expect(seen).toBe("the registrar's")
    }))
})

describe("a hook that uses the server", () => {
  it.scoped("may call shutdown, and is not deadlocked by it beyond the deadline", () =>
    Effect.gen(function*() {
      const { drain, report, server } = yield* serving(makeApp().app, policy)
      yield* server.onShutdown("calls shutdown", server.shutdown)
      yield* drain
      yield* TestClock.adjust("10 seconds")
      expect(short(yield* report)).toEqual([["calls shutdown", "TimedOut", 10_000]])
    }))

  it.scoped("finds its connections", () =>
    Effect.gen(function*() {
      const { drain, report, server, target } = yield* serving(makeApp().app, policy)
      yield* idleAfterOne(target)
      let open = -1
      yield* server.onShutdown(
        "look",
        Effect.map(server.connections, (connections) => {
          open = connections.length
        })
      )
      yield* drain
      yield* until("the hook", () => open === 1)
      yield* TestClock.adjust("500 millis")
      yield* report
    }))
})
