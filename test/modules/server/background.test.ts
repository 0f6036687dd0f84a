import * as HttpServer from "@effect/platform/HttpServer"
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import { describe, expect, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Queue from "effect/Queue"
import * as Stream from "effect/Stream"
import * as TestClock from "effect/TestClock"
import { createServer } from "node:http"
import { NodeHttpServer, Server, type Shutdown } from "../../../src/index.js"
import * as HttpRouter from "../../support/effect/httpRouter.js"
import { makeApp } from "../../support/handlers.js"
import {
  answer,
  client,
  deadlineExceededIn,
  get,
  launch,
  real,
  send,
  serving,
  targetOf,
  until,
  untilPhase
} from "../../support/running.js"
import { collectLog } from "../telemetry/collectLog.js"

// What is started with `background` outlives the request that has started it, and a shutdown waits for it.

const policy = { timeout: "10 seconds", killTimeout: "2 seconds" } as const

const short = (report: Shutdown.Report) =>
  report.background.map(({ count, duration, name, outcome }) => [name, outcome, count, Duration.toMillis(duration)])

/** An app whose request at `/orders` is answered with 202, and leaves `work` behind. */
const accepting = (work: Effect.Effect<unknown, unknown>) =>
  Effect.gen(function*() {
    let server: Server.ServerService | undefined
    const accept = Effect.suspend(() => server!.background("orders", work)).pipe(
      Effect.as(HttpServerResponse.text("accepted", { status: 202 })),
      Effect.catchTag("ServerClosed", () => Effect.succeed(HttpServerResponse.text("closed", { status: 503 })))
    )
    const running = yield* serving(HttpRouter.empty.pipe(HttpRouter.get("/orders", accept)), policy)
    server = running.server
    return running
  })

const order = (running: { readonly target: Parameters<typeof client>[0] }) =>
  Effect.gen(function*() {
    const one = yield* client(running.target)
    yield* send(one, get("/orders"))
    return yield* answer(one)
  })

describe("background work", () => {
  it.scoped("outlives its request, and the shutdown waits for it", () =>
    Effect.gen(function*() {
      const gate = yield* Deferred.make<void>()
      let done = 0
      const running = yield* accepting(
        Effect.zipRight(Deferred.await(gate), Effect.sync(() => done++))
      )
      expect((yield* order(running)).status).toBe(202)
      expect((yield* order(running)).status).toBe(202)
      yield* running.drain
      yield* TestClock.adjust("9 seconds")
      expect(yield* running.server.phase.get).toBe("Draining")
      expect(done).toBe(0)
      yield* Deferred.succeed(gate, undefined)
      const report = yield* running.report
      expect(done).toBe(2)
      expect(report).toMatchObject({ outcome: "Drained", duration: Duration.seconds(9), cut: [] })
      expect(short(report)).toEqual([["orders", "Completed", 2, 9000]])
    }))

  it.scoped("that has ended before the shutdown is not in its report", () =>
    Effect.gen(function*() {
      const running = yield* accepting(Effect.void)
      const one = yield* client(running.target)
      yield* send(one, get("/orders"))
      expect((yield* answer(one)).status).toBe(202)
      one.leave()
      const fiber = yield* running.server.background("fails", Effect.fail("a failure"))
      expect(yield* Fiber.await(fiber)).toEqual(Exit.fail("a failure"))
      expect((yield* running.stop).background).toEqual([])
    }))

  it.scoped("that is not done at the deadline is interrupted, and is lost: the shutdown fails", () =>
    Effect.gen(function*() {
      let interrupted = 0
      const running = yield* accepting(Effect.onInterrupt(Effect.never, () => Effect.sync(() => interrupted++)))
      expect((yield* order(running)).status).toBe(202)
      yield* running.drain
      yield* TestClock.adjust("9999 millis")
      expect(interrupted).toBe(0)
      yield* TestClock.adjust("1 millis")
      const report = yield* running.report
      expect(interrupted).toBe(1)
      expect(report).toMatchObject({ outcome: "DeadlineExceeded", cut: [], handlers: { interrupted: 0 } })
      expect(short(report)).toEqual([["orders", "Interrupted", 1, 10_000]])
      expect(deadlineExceededIn(yield* running.exit)?.message).toBe(
        `Background work did not end before the deadline, 10s after draining began: "orders" (1 interrupted). `
          + "Raise `timeout`, or let it end on `Server.shuttingDown`."
      )
    }))

  it.scoped("has the kill timeout for its finalizers; what ignores its interruption for longer is abandoned", () =>
    Effect.gen(function*() {
      const { drain, report, server } = yield* serving(makeApp().app, policy)
      yield* server.background("stuck", Effect.uninterruptible(Effect.never))
      yield* server.background("tidies up", Effect.onInterrupt(Effect.never, () => Effect.sleep("1 second")))
      yield* drain
      yield* TestClock.adjust("12 seconds")
      const ended = yield* report
      expect(ended).toMatchObject({ outcome: "DeadlineExceeded", killing: Duration.seconds(2) })
      expect(short(ended)).toEqual([["tidies up", "Interrupted", 1, 11_000], ["stuck", "Abandoned", 1, 12_000]])
    }))

  it.scoped("that fails as it is interrupted is lost, too, and its cause is in the report", () =>
    Effect.gen(function*() {
      const { drain, report, server } = yield* serving(makeApp().app, policy)
      yield* server.background("orders", Effect.onInterrupt(Effect.never, () => Effect.die("dropped 5 jobs")))
      yield* drain
      yield* TestClock.adjust("10 seconds")
      const ended = yield* report
      expect(ended.outcome).toBe("DeadlineExceeded")
      expect(short(ended)).toEqual([["orders", "Interrupted", 1, 10_000]])
      const [orders] = ended.background
      expect(Option.map(orders?.cause ?? Option.none(), Cause.squash)).toEqual(Option.some("dropped 5 jobs"))
    }))

  it.scoped("that fails has its cause in the report, in an event and in the log, and fails no shutdown", () => {
    const log = collectLog()
    return Effect.gen(function*() {
      const { drain, report, server } = yield* serving(makeApp().app, policy)
      const failures: Array<string> = []
      yield* Effect.forkScoped(Stream.runForEach(server.events, (event) =>
        Effect.sync(() => {
          if (event._tag === "BackgroundFailed") failures.push(event.name)
        })))
      yield* TestClock.adjust("1 millis")
      yield* server.background("early", Effect.fail("an early failure"))
      yield* until("the first failure", () => failures.length === 1)
      yield* server.background("jobs", Effect.zipRight(Effect.sleep("1 second"), Effect.fail("a failure")))
      yield* server.background("jobs", Effect.zipRight(Effect.sleep("2 seconds"), Effect.fail("another")))
      yield* server.background("jobs", Effect.sleep("3 seconds"))
      yield* drain
      yield* TestClock.adjust("3 seconds")
      const ended = yield* report
      expect(failures).toEqual(["early", "jobs", "jobs"])
      expect(ended.outcome).toBe("Drained")
      expect(short(ended)).toEqual([["jobs", "Failed", 2, 2000], ["jobs", "Completed", 1, 3000]])
      expect(ended.background[0]?.cause).toEqual(Option.some(Cause.fail("a failure")))
      const said = log.lines().filter(({ annotations }) => String(annotations["event"]).startsWith("Background"))
      expect(said.map(({ logLevel, message }) => [logLevel, String(message).split(":")[0]])).toEqual([
        ["ERROR", `Background work "early" failed`],
        ["ERROR", `Background work "jobs" failed`],
        ["ERROR", `Background work "jobs" failed`],
        ["INFO", `Background work "jobs" Completed after 3s`]
      ])
      expect(log.find(/waiting for/)?.message).toMatch(/waiting for background work: jobs \(\d\); \d/)
    }).pipe(Effect.provide(log.layer))
  })

  it.scoped("that its owner interrupts is nobody's loss", () =>
    Effect.gen(function*() {
      const { report, interrupt, server } = yield* serving(makeApp().app, policy)
      const fiber = yield* server.background("withdrawn", Effect.never)
      yield* interrupt
      yield* untilPhase(server, "Draining")
      yield* Fiber.interrupt(fiber)
      expect(yield* report).toMatchObject({ outcome: "Drained", background: [] })
    }))

  it.scoped("is interrupted by `close`, which is no failure", () =>
    Effect.gen(function*() {
      const { server, report } = yield* serving(makeApp().app, policy)
      yield* server.background("orders", Effect.never)
      const closed = yield* real("the report", server.close)
      expect(closed.outcome).toBe("Closed")
      expect(short(closed)).toEqual([["orders", "Interrupted", 1, 0]])
      expect(closed).toBe(yield* real("the same report", Effect.raceFirst(server.closed, report)))
    }))

  it.scoped("has a scope of its own, which closes when it ends", () =>
    Effect.gen(function*() {
      const { server } = yield* serving(makeApp().app, policy)
      const gate = yield* Deferred.make<void>()
      const log: Array<string> = []
      const use = Effect.acquireRelease(
        Effect.sync(() => log.push("acquired")),
        () => Effect.sync(() => log.push("released"))
      )
      const fiber = yield* server.background("uses", Effect.zipRight(use, Deferred.await(gate)))
      yield* until("the acquisition", () => log.length > 0)
      expect(log).toEqual(["acquired"])
      yield* Deferred.succeed(gate, undefined)
      yield* Fiber.join(fiber)
      expect(log).toEqual(["acquired", "released"])
    }))

  it.scoped("is interrupted, all ten thousand of them", () =>
    Effect.gen(function*() {
      const { drain, report, server } = yield* serving(makeApp().app, policy)
      yield* Effect.forEach(Array.from({ length: 10_000 }), () => server.background("orders", Effect.never))
      yield* drain
      yield* TestClock.adjust("10 seconds")
      expect(short(yield* report)).toEqual([["orders", "Interrupted", 10_000, 10_000]])
    }))
})

describe("background work that comes late", () => {
  it.scoped("while the server drains is waited for", () =>
    Effect.gen(function*() {
      const { app, gate } = makeApp()
      const running = yield* serving(app, policy)
      const held = yield* client(running.target)
      yield* send(held, get("/hold"))
      yield* gate.untilStarted(1)
      yield* running.drain
      yield* TestClock.adjust("1 second")
      yield* running.server.background("late", Effect.sleep("3 seconds"))
      yield* gate.open
      yield* TestClock.adjust("3 seconds")
      const report = yield* running.report
      expect(report).toMatchObject({ outcome: "Drained", duration: Duration.seconds(4) })
      expect(short(report)).toEqual([["late", "Completed", 1, 3000]])
    }))

  it.scoped("after the deadline, or when all is over, fails with ServerClosed and does not run", () =>
    Effect.gen(function*() {
      let ran = 0
      const run = Effect.sync(() => ran++)
      const { drain, report, server } = yield* serving(makeApp().app, policy)
      yield* server.background("stuck", Effect.uninterruptible(Effect.never))
      yield* drain
      yield* TestClock.adjust("10 seconds")
      yield* until("the deadline", () => Exit.isFailure(Effect.runSyncExit(server.background("probe", run))))
      const before = ran
      const refused = yield* Effect.flip(server.background("too late", run))
      expect(refused).toMatchObject({
        _tag: "ServerClosed",
        message: `background work "too late": this server has begun to shut down. A server stops once; make a new one.`
      })
      yield* TestClock.adjust("2 seconds")
      yield* report
      expect((yield* Effect.flip(server.background("too late", run)))._tag).toBe("ServerClosed")
      expect(ran).toBe(before)
    }))
})

describe("layerBackground", () => {
  /** A consumer that uses a pool, beside an app, on the layers that it needs. */
  const consuming = (process: (job: string) => Effect.Effect<void>, log: Array<string>) =>
    Effect.gen(function*() {
      const jobs = yield* Queue.unbounded<string>()
      const nodeServer = createServer()
      const consume = Effect.flatMap(Server.Server, ({ shuttingDown }) =>
        Effect.uninterruptibleMask((restore) =>
          Effect.flatMap(restore(Queue.take(jobs)), process)
        ).pipe(
          Effect.forever,
          Effect.raceFirst(shuttingDown)
        ))
      const pool = Layer.scopedDiscard(
        Effect.acquireRelease(Effect.void, () => Effect.sync(() => log.push("pool released")))
      )
      const app = HttpRouter.empty.pipe(HttpRouter.get("/", HttpServerResponse.text("ok")))
      const running = yield* launch(
        Layer.merge(
          HttpServer.serve(app),
          Layer.provide(Server.layerBackground("jobs", consume), pool)
        ).pipe(
          Layer.provideMerge(NodeHttpServer.layer(() => nodeServer, { host: "127.0.0.1", port: 0, ...policy }))
        ),
        (context) => targetOf(Context.get(context, HttpServer.HttpServer).address),
        () => nodeServer.listening
      )
      return { jobs, running }
    })

  it.scoped("is told when a shutdown begins, finishes what it has, and what it uses outlives it", () =>
    Effect.gen(function*() {
      const log: Array<string> = []
      const process = (job: string) =>
        Effect.zipRight(Effect.sleep("3 seconds"), Effect.sync(() => log.push(`done ${job}`)))
      const { jobs, running } = yield* consuming(process, log)
      yield* Queue.offer(jobs, "one")
      yield* Queue.offer(jobs, "two")
      yield* until("the first job", () => Effect.runSync(Queue.size(jobs)) === 1)
      yield* running.drain
      yield* TestClock.adjust("3 seconds")
      const report = yield* running.report
      expect(report).toMatchObject({ outcome: "Drained", duration: Duration.seconds(3) })
      expect(short(report)).toEqual([["jobs", "Completed", 1, 3000]])
      expect(log).toEqual(["done one", "pool released"])
      expect(yield* Queue.size(jobs)).toBe(1)
    }))

  it.scoped("whose work is left behind is released all the same", () =>
    Effect.gen(function*() {
      const log: Array<string> = []
      const { jobs, running } = yield* consuming(() => Effect.never, log)
      yield* Queue.offer(jobs, "one")
      yield* until("the job", () => Effect.runSync(Queue.size(jobs)) === 0)
      yield* running.drain
      yield* TestClock.adjust("12 seconds")
      expect(short(yield* running.report)).toEqual([["jobs", "Abandoned", 1, 12_000]])
      expect(log).toEqual(["pool released"])
    }))

  it.scoped("is interrupted when it is released while the server serves", () =>
    Effect.gen(function*() {
      const { server, stop } = yield* serving(makeApp().app, policy)
      let interrupted = 0
      const work = Effect.onInterrupt(Effect.never, () => Effect.sync(() => interrupted++))
      const layer = Layer.provide(Server.layerBackground("jobs", work), Layer.succeed(Server.Server, server))
      yield* Effect.scoped(Effect.zipRight(Layer.build(layer), TestClock.adjust("1 second")))
      expect(interrupted).toBe(1)
      expect((yield* stop).background).toEqual([])
    }))
})
