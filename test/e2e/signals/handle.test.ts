import { describe, expect, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as FiberId from "effect/FiberId"
import * as FiberRef from "effect/FiberRef"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Scope from "effect/Scope"
import * as TestClock from "effect/TestClock"
import { execFileSync } from "node:child_process"
import { Server, Shutdown, Signals } from "../../../src/index.js"
import { processListeners } from "../../support/leaks.js"
import { real, silent, until, untilPhase } from "../../support/running.js"

// SIGUSR2 is nobody else's in a test process. Real signals, under the clock of the test.

const signal = "SIGUSR2"
const handled = Signals.handle({ signals: [signal] })

/** Another process sends it; waits until a program of its own, which it ends, has heard it. */
const send = Effect.gen(function*() {
  const before = process.listenerCount(signal)
  let listens = false
  const heard = yield* Effect.fork(handled(Effect.zipRight(
    Effect.sync(() => {
      listens = true
    }),
    Effect.never
  )))
  yield* until("it to listen", () => listens)
  expect(process.listenerCount(signal)).toBe(Math.max(before, 1))
  execFileSync(process.execPath, ["-e", `process.kill(${process.pid}, "SIGUSR2")`])
  yield* real("the signal", Fiber.await(heard))
})

const codeOf = (exit: Exit.Exit<unknown, unknown>) => {
  let code: number | undefined
  Signals.teardown(exit, (given) => {
    code = given
  })
  return code
}

/** A program that is a launch, in a fiber of its own. */
const launched = (policy: Shutdown.Policy = {}) =>
  Effect.gen(function*() {
    const ready = yield* Deferred.make<Server.ServerService>()
    const layer = Layer.tap(
      Server.layer(policy),
      (context) => Deferred.succeed(ready, Context.get(context, Server.Server))
    )
    const fiber = yield* Effect.fork(handled(Server.launch(layer)))
    return { fiber, server: yield* Deferred.await(ready) }
  })

describe("handle", () => {
  it.effect("is what its program is, and leaves no listener behind, however that ends", () =>
    Effect.gen(function*() {
      const before = processListeners()
      const during = yield* handled(Effect.sync(() => process.listenerCount(signal)))
      expect(during).toBe((before[signal] ?? 0) + 1)
      expect(yield* Effect.exit(handled(Effect.fail("no")))).toEqual(Exit.fail("no"))
      expect(yield* Effect.exit(handled(Effect.die("no")))).toEqual(Exit.die("no"))
      const fiber = yield* Effect.fork(handled(Effect.never))
      yield* until("it to listen", () => process.listenerCount(signal) === during)
      expect(Exit.isInterrupted(yield* Effect.zipRight(Fiber.interrupt(fiber), Fiber.await(fiber)))).toBe(true)
      expect(processListeners()).toEqual(before)
    }))

  it.effect("leaves behind what its program has set of its fiber", () =>
    Effect.gen(function*() {
      const ref = FiberRef.unsafeMake("outside")
      yield* handled(FiberRef.set(ref, "inside"))
      expect(yield* FiberRef.get(ref)).toBe("inside")
    }))

  it.effect("listens for SIGTERM, SIGINT and SIGQUIT unless it is told otherwise", () =>
    Effect.gen(function*() {
      const before = processListeners()
      const during = yield* Signals.handle()(Effect.sync(processListeners))
      expect(Object.entries(during).filter(([name, count]) => count !== before[name]).map(([name]) => name).sort())
        .toEqual(["SIGINT", "SIGQUIT", "SIGTERM"])
    }))

  it.effect("refuses what no process can listen for, before the program begins", () =>
    Effect.gen(function*() {
      let begun = false
      const program = Effect.sync(() => {
        begun = true
      })
      for (const name of ["SIGKILL", "SIGSTOP", "SIGFOO", "toString", ""]) {
        const error = yield* Effect.flip(Signals.handle({ signals: [name as "SIGTERM"] })(program))
        expect(error).toBeInstanceOf(Shutdown.InvalidPolicy)
        expect(error.message).toContain(`signals is ${JSON.stringify(name)}`)
      }
      expect(begun).toBe(false)
    }))

  it.scoped("says what a signal does once with each logger of its servers", () =>
    Effect.gen(function*() {
      // the two of the servers are beside that of the program
      const lines = { one: new Array<string>(), other: new Array<string>(), program: new Array<string>() }
      const loggerOf = (to: Array<string>) => Logger.make(({ message }) => void to.push(String(message)))
      const [one, other] = [Logger.add(loggerOf(lines.one)), Logger.add(loggerOf(lines.other))]
      const program = Logger.replace(Logger.defaultLogger, loggerOf(lines.program))
      let built = false
      const servers = Layer.mergeAll(
        Layer.scopedDiscard(Server.make()).pipe(Layer.provide(one)),
        Layer.scopedDiscard(Server.make()).pipe(Layer.provide(other)),
        Layer.scopedDiscard(Server.make()).pipe(Layer.provide(one))
      )
      const running = Effect.zipRight(
        Layer.build(servers),
        Effect.suspend(() => {
          built = true
          return Effect.never
        })
      )
      const fiber = yield* Effect.fork(handled(Effect.scoped(running)).pipe(Effect.provide(program)))
      yield* until("the servers", () => built)
      yield* send
      yield* real("the end", Fiber.await(fiber))
      const said = (to: ReadonlyArray<string>) => to.filter((line) => line === `${signal}: shutting down`).length
      expect({ one: said(lines.one), other: said(lines.other), program: said(lines.program) })
        .toEqual({ one: 1, other: 1, program: 1 })
    }))

  it.scoped("takes another signal within half a second for the one before", () =>
    Effect.gen(function*() {
      const { fiber, server } = yield* launched({ lameDuck: "1 minute" })
      yield* send
      yield* untilPhase(server, "LameDuck")
      yield* TestClock.adjust("499 millis")
      yield* send
      expect(yield* server.phase.get).toBe("LameDuck")
      // what the sending of it has kept the event loop from reading counts, too
      yield* TestClock.adjust("5 seconds")
      yield* send
      const report = yield* real("the launch", Fiber.join(fiber))
      expect(report).toMatchObject({ outcome: "Drained" })
    }).pipe(Effect.provide(silent)))

  it.scoped("stops a launch with its report, and nothing else is interrupted for it", () =>
    Effect.gen(function*() {
      const { fiber } = yield* launched()
      yield* send
      const exit = yield* real("the launch", Fiber.await(fiber))
      expect(exit).toMatchObject({ _tag: "Success", value: { outcome: "Drained" } })
      expect(codeOf(exit)).toBe(0)
    }).pipe(Effect.provide(silent)))

  it.scoped("closes every server of the program on a further signal", () =>
    Effect.gen(function*() {
      const servers: Array<Server.ServerService> = []
      const outside = yield* Effect.scope
      const one = Effect.gen(function*() {
        const server = yield* Server.make({ timeout: "1 minute" })
        yield* Scope.extend(server.onShutdown("hangs", Effect.never), outside)
        servers.push(server)
      })
      const fiber = yield* Effect.fork(
        one.pipe(Effect.zipRight(one), Effect.zipRight(Effect.never), Effect.scoped, handled)
      )
      yield* until("the servers to be made", () => servers.length === 2)
      yield* send
      // in the order of their scopes
      yield* untilPhase(servers[1]!, "Draining")
      expect(yield* servers[0]!.phase.get).toBe("Serving")
      yield* TestClock.adjust("5 seconds")
      yield* send
      const exit = yield* real("the program", Fiber.await(fiber))
      expect(codeOf(exit)).toBe(128 + 12)
      for (const server of servers) expect(yield* server.closed).toMatchObject({ outcome: "Closed" })
    }).pipe(Effect.provide(silent)))

  it.scoped("listens on for a duplicate of its signal when all is over, and not for longer", () =>
    Effect.gen(function*() {
      let atTheEnd: number | undefined
      const fiber = yield* Effect.fork(Effect.ensuring(
        handled(Effect.never),
        Effect.sync(() => {
          atTheEnd = process.listenerCount(signal)
        })
      ))
      yield* send
      yield* real("the program", Fiber.await(fiber))
      expect(atTheEnd).toBe(1)
      yield* until("it to listen no more", () => process.listenerCount(signal) === 0)
    }).pipe(Effect.provide(silent)))

  it.scoped("interrupts the program when its caller is interrupted", () =>
    Effect.gen(function*() {
      const { fiber, server } = yield* launched()
      expect(Exit.isInterrupted(yield* real("the launch", Effect.zipRight(Fiber.interrupt(fiber), Fiber.await(fiber)))))
        .toBe(true)
      expect(yield* server.closed).toMatchObject({ outcome: "Drained" })
    }).pipe(Effect.provide(silent)))
})

describe("teardown", () => {
  const forced = Cause.die(new Signals.Forced({ signal: "SIGTERM" }))

  it("is the code of a forced end, whatever else the program ended of", () => {
    expect(codeOf(Exit.failCause(forced))).toBe(143)
    expect(codeOf(Exit.failCause(Cause.sequential(forced, Cause.die("a finalizer"))))).toBe(143)
    expect(codeOf(Exit.failCause(Cause.die(new Signals.Forced({ signal: "SIGINT" }))))).toBe(130)
    expect(codeOf(Exit.failCause(Cause.die(new Signals.Forced({ signal: "SIGQUIT" }))))).toBe(131)
  })

  it("is otherwise what `runMain` does", () => {
    expect(codeOf(Exit.succeed(1))).toBe(0)
    expect(codeOf(Exit.interrupt(FiberId.none))).toBe(0)
    expect(codeOf(Exit.fail("no"))).toBe(1)
    expect(codeOf(Exit.die("no"))).toBe(1)
  })
})
