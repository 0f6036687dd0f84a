import { RpcSerialization, RpcServer } from "@effect/rpc"
import { describe, expect, it } from "@effect/vitest"
import { Cause, Duration, Effect, Exit, Fiber, Layer, Logger, Option, Scope, Stream } from "effect"
import { NodeSocketServer, type Shutdown } from "../../../src/index.js"
import { labelOf } from "../../support/effect/logs.js"
import { client as raw, ended, send, silent, until, untilPhase } from "../../support/running.js"
import { Backend, call, client, idlePeer, protocols, serving, Work } from "./rpcServer.js"

/** How a call failed, for its client: by an error that it can retry on, and not by an interruption that is not its own. */
const failure = (exit: Exit.Exit<unknown, unknown>) =>
  Exit.isFailure(exit)
    ? Option.match(Cause.failureOption(exit.cause), {
      onNone: () => Cause.pretty(exit.cause),
      onSome: (error) => (error as { readonly _tag: string })._tag
    })
    : "none"

/** Calls that never stop by themselves. */
const endlessCalls = () => {
  const answered: Array<string> = []
  const failures = new Set<string>()
  return {
    answered,
    /** One after the other, until one fails. */
    make: <E, R>(call: (n: number) => Effect.Effect<string, E, R>, pause: Effect.Effect<void> = Effect.void) =>
      Effect.gen(function*() {
        for (let n = 0;; n++) {
          const exit = yield* Effect.exit(call(n))
          if (Exit.isFailure(exit)) return failures.add(failure(exit))
          answered.push(exit.value)
          yield* pause
        }
      }),
    /** A shutdown has ended them: whatever was executed, its client has heard of. */
    areAnswered: (report: Shutdown.Report, backend: Backend) => {
      expect(report).toMatchObject({ outcome: "Drained", cut: [], forceClosed: [] })
      expect(Duration.toMillis(report.duration)).toBeLessThan(10_000)
      expect([...failures]).toEqual(["RpcClientError"])
      expect(backend.executed.filter((id) => !answered.includes(id))).toEqual([])
    }
  }
}

describe.each(protocols)("RPC over %s", (protocol) => {
  const long = { timeout: "30 seconds" } as const

  it.scopedLive("a call in flight ends with its result, and its services outlive it", () =>
    Effect.gen(function*() {
      const backend = new Backend()
      const running = yield* serving(protocol, backend, long)
      const caller = yield* client(protocol, running)
      const call = yield* Effect.fork(caller.Gated({ id: "in flight" }))
      yield* until("the call to begin", () => backend.begun.length === 1)
      yield* running.interrupt
      yield* untilPhase(running.server, "Draining")
      yield* Effect.sync(() => backend.gate.resolve())
      expect(yield* Fiber.join(call)).toBe("in flight")
      const report = yield* running.report
      expect(report).toMatchObject({
        outcome: "Drained",
        served: 1,
        cut: [],
        handlers: { interrupted: 0, abandoned: 0 }
      })
      expect(backend).toMatchObject({ executed: ["in flight"], interrupted: [], foundClosed: [] })
    }).pipe(Effect.provide(silent)))

  it.scopedLive("clients that wait for nothing leave at once", () =>
    Effect.gen(function*() {
      const backend = new Backend()
      const running = yield* serving(protocol, backend, long)
      const used = yield* client(protocol, running)
      yield* used.Quick({ id: "before" })
      // over HTTP, one that has never called has no connection
      yield* client(protocol, running)
      const connections = protocol === "HTTP" ? 1 : 2
      yield* until("both to be connected", () => Effect.runSync(running.server.connections).length === connections)
      const report = yield* running.stop
      expect(report).toMatchObject({ outcome: "Drained", connections: { open: connections, cut: 0 }, forceClosed: [] })
      expect(Duration.toMillis(report.duration)).toBeLessThan(5000)
    }).pipe(Effect.provide(silent)))

  it.scopedLive("what never ends is cut at the deadline, named in the report, and fails for its client", () =>
    Effect.gen(function*() {
      const backend = new Backend()
      const running = yield* serving(protocol, backend, { timeout: "500 millis", killTimeout: "10 seconds" })
      const caller = yield* client(protocol, running)
      const call = yield* Effect.fork(caller.Gated({ id: "stuck" }))
      let ticks = 0
      const stream = yield* Effect.fork(Stream.runForEach(caller.Endless(), () => Effect.sync(() => ticks++)))
      yield* until("both to be under way", () => backend.begun.length === 1 && ticks > 0)
      const report = yield* running.stop
      expect(failure(yield* Fiber.await(call))).toBe("RpcClientError")
      expect(failure(yield* Fiber.await(stream))).toBe("RpcClientError")
      const named = report.cut.map(({ clientReceived, method, path }) =>
        // over HTTP, the client of Effect 4 adds a slash
        `${method} ${path.replace(/\/$/, "")}: ${clientReceived}`
      ).sort()
      expect(named).toEqual(
        protocol === "HTTP"
          ? ["POST /rpc: 503", "POST /rpc: truncated"]
          : ["RPC Endless: truncated", "RPC Gated: none"]
      )
      expect(report.outcome).toBe("DeadlineExceeded")
      expect(Duration.toMillis(report.duration)).toBeLessThan(5000)
      expect(backend).toMatchObject({ interrupted: ["stuck"], foundClosed: [] })
    }).pipe(Effect.provide(silent)))

  it.scopedLive("a stream that ends itself when a shutdown begins ends cleanly", () =>
    Effect.gen(function*() {
      const running = yield* serving(protocol, new Backend(), long)
      const caller = yield* client(protocol, running)
      let ticks = 0
      const stream = yield* Effect.fork(Stream.runForEach(caller.Polite(), () => Effect.sync(() => ticks++)))
      yield* until("the first tick", () => ticks > 0)
      const report = yield* running.stop
      expect(Exit.isSuccess(yield* Fiber.await(stream))).toBe(true)
      expect(report).toMatchObject({ outcome: "Drained", cut: [] })
    }).pipe(Effect.provide(silent)))

  it.scopedLive("whatever is executed is answered: clients that call all the time", () =>
    Effect.gen(function*() {
      const backend = new Backend()
      const running = yield* serving(protocol, backend, long)
      const calls = endlessCalls()
      const busy = (name: number) =>
        Effect.flatMap(client(protocol, running), (caller) =>
          calls.make((call) => caller.Quick({ id: `${name}.${call}` })))
          .pipe(Effect.scoped)
      const clients = yield* Effect.fork(
        Effect.all(
          Array.from({ length: 8 }, (_, name) =>
            busy(name)),
          { concurrency: "unbounded" }
        )
      )
      yield* until("all to be busy", () => calls.answered.length > 40)
      const report = yield* running.stop
      yield* Fiber.join(clients)
      calls.areAnswered(report, backend)
    }).pipe(Effect.provide(silent)))
})

describe.each(["WebSockets of an HttpApp", "HTTP"] as const)("RPC over %s", (protocol) => {
  it.scopedLive("a call in flight ends with its result where the layers are released in parallel", () =>
    Effect.gen(function*() {
      const backend = new Backend()
      const running = yield* serving(protocol, backend, { timeout: "30 seconds" }, { shape: "parallel" })
      const caller = yield* client(protocol, running)
      const call = yield* Effect.fork(caller.Gated({ id: "in flight" }))
      yield* until("the call to begin", () => backend.begun.length === 1)
      yield* running.interrupt
      yield* untilPhase(running.server, "Draining")
      yield* Effect.sync(() => backend.gate.resolve())
      expect(yield* Fiber.join(call)).toBe("in flight")
      expect(yield* running.report).toMatchObject({ outcome: "Drained", cut: [] })
      expect(backend).toMatchObject({ interrupted: [], foundClosed: [] })
    }).pipe(Effect.provide(silent)))
})

describe.each(["sockets", "WebSockets of ws", "WebSockets of an HttpApp"] as const)("RPC over %s", (protocol) => {
  it.scopedLive("a connection serves new calls for as long as an old one takes, and is then closed", () =>
    Effect.gen(function*() {
      const backend = new Backend()
      const running = yield* serving(protocol, backend, { timeout: "30 seconds" })
      const caller = yield* client(protocol, running)
      const old = yield* Effect.fork(caller.Gated({ id: "old" }))
      yield* until("the call to begin", () => backend.begun.length === 1)
      yield* running.interrupt
      yield* untilPhase(running.server, "Draining")
      expect(yield* caller.Quick({ id: "new" })).toBe("new")
      const [connection] = yield* running.server.connections
      expect(connection).toMatchObject({ state: "Hijacked", served: 1, inFlight: [{ method: "RPC", path: "Gated" }] })
      yield* Effect.sync(() => backend.gate.resolve())
      expect(yield* Fiber.join(old)).toBe("old")
      expect(yield* running.report).toMatchObject({ outcome: "Drained", served: 2 })
      const late = yield* Effect.exit(caller.Quick({ id: "late" }))
      expect(failure(late)).toBe("RpcClientError")
      expect(backend.executed).toEqual(["new", "old"])
    }).pipe(Effect.provide(silent)))

  it.scopedLive("a call that ends after the deadline, within killTimeout, has its result sent", () =>
    Effect.gen(function*() {
      const backend = new Backend()
      const running = yield* serving(protocol, backend, { timeout: "500 millis", killTimeout: "10 seconds" })
      const [caller, other] = yield* Effect.all([client(protocol, running), client(protocol, running)])
      const call = yield* Effect.fork(caller.Steadfast({ id: "late" }))
      const stuck = yield* Effect.fork(other.Gated({ id: "stuck" }))
      yield* until("both to begin", () => backend.begun.length === 2)
      yield* running.interrupt
      yield* until("the deadline to pass", () => backend.interrupted.length === 1)
      expect(failure(yield* Fiber.await(stuck))).toBe("RpcClientError")
      yield* Effect.sync(() => backend.steadfastGate.resolve())
      expect(yield* Fiber.join(call)).toBe("late")
      const report = yield* running.report
      expect(report).toMatchObject({ outcome: "DeadlineExceeded", connections: { cut: 1 } })
      expect(report.cut).toHaveLength(1)
      expect(Duration.toMillis(report.duration)).toBeLessThan(5000)
      expect(backend).toMatchObject({ executed: ["late"], interrupted: ["stuck"], foundClosed: [] })
    }).pipe(Effect.provide(silent)))

  it.scopedLive("a call that has not ended by then is cut", () =>
    Effect.gen(function*() {
      const backend = new Backend()
      const running = yield* serving(protocol, backend, { timeout: "300 millis", killTimeout: "300 millis" })
      const caller = yield* client(protocol, running)
      const call = yield* Effect.fork(caller.Steadfast({ id: "too late" }))
      yield* until("it to begin", () => backend.begun.length === 1)
      yield* running.interrupt
      expect(failure(yield* Fiber.await(call))).toBe("RpcClientError")
      yield* untilPhase(running.server, "Closed")
      yield* Effect.sync(() => backend.steadfastGate.resolve())
      const report = yield* running.report
      expect(report).toMatchObject({
        outcome: "DeadlineExceeded",
        cut: [{ path: "Steadfast", clientReceived: "none" }],
        handlers: { abandoned: 1 }
      })
    }).pipe(Effect.provide(silent)))

  it.scopedLive("a client that leaves in the middle of a call interrupts it, and holds nobody up", () =>
    Effect.gen(function*() {
      const backend = new Backend()
      const running = yield* serving(protocol, backend, { timeout: "30 seconds" })
      const scope = yield* Scope.make()
      const caller = yield* Scope.extend(client(protocol, running), scope)
      yield* Effect.forkIn(caller.Gated({ id: "abandoned" }), scope)
      yield* until("the call to begin", () => backend.begun.length === 1)
      yield* running.interrupt
      yield* untilPhase(running.server, "Draining")
      yield* Scope.close(scope, Exit.void)
      const report = yield* running.report
      expect(report).toMatchObject({ outcome: "Drained", cut: [], handlers: { interrupted: 0, abandoned: 0 } })
      expect(backend).toMatchObject({ interrupted: ["abandoned"], foundClosed: [] })
    }).pipe(Effect.provide(silent)))

  it.scopedLive.each(["closes", "is gone"] as const)(
    "one that %s and does not interrupt it holds nobody up either",
    (ending) =>
      Effect.gen(function*() {
        const backend = new Backend()
        const running = yield* serving(protocol, backend, { timeout: "30 seconds" })
        const peer = yield* Effect.promise(() => call(protocol, running, "Gated", "abandoned"))
        yield* until("the call to begin", () => backend.begun.length === 1)
        const asked = yield* idlePeer(protocol, running)
        yield* running.interrupt
        // who has connected before it would have been as well, were it not for its call
        yield* asked
        const [connection] = yield* running.server.connections
        expect(connection).toMatchObject({ inFlight: [{ method: "RPC", path: "Gated" }] })
        yield* Effect.sync(() => ending === "closes" ? peer.close() : peer.destroy())
        const report = yield* running.report
        expect(report).toMatchObject({ outcome: "Drained", cut: [], handlers: { interrupted: 0, abandoned: 0 } })
        expect(Duration.toMillis(report.duration)).toBeLessThan(10_000)
        expect(backend).toMatchObject({ interrupted: ["abandoned"], foundClosed: [] })
      }).pipe(Effect.provide(silent))
  )

  it.scopedLive("calls that overlap without end do not keep a connection", () =>
    Effect.gen(function*() {
      const backend = new Backend()
      const running = yield* serving(protocol, backend, { timeout: "30 seconds" })
      const caller = yield* client(protocol, running)
      const calls = endlessCalls()
      const busy = (name: number) =>
        // from the second one on, no moment is without a call
        calls.make((call) => caller.Slow({ id: `${name}.${call}` }), Effect.sleep(name))
      const fibers = yield* Effect.fork(
        Effect.all(Array.from({ length: 6 }, (_, name) => busy(name)), { concurrency: "unbounded" })
      )
      yield* until("all to be busy", () => calls.answered.length > 30)
      const report = yield* running.stop
      yield* Fiber.join(fibers)
      calls.areAnswered(report, backend)
    }).pipe(Effect.provide(silent)))
})

describe("RPC over sockets", () => {
  it.scopedLive("who has sent half a message, or does not answer our FIN, holds nobody up", () =>
    Effect.gen(function*() {
      const backend = new Backend()
      const running = yield* serving("sockets", backend, { timeout: "30 seconds" })
      const half = yield* raw(running.target)
      yield* send(half, "{\"_tag\":\"Request\",\"id\":\"1\",")
      const deaf = yield* raw(running.target, { keepHalfOpen: true })
      yield* until("both connections", () => Effect.runSync(running.server.connections).length === 2)
      const report = yield* running.stop
      yield* ended(half)
      expect(report).toMatchObject({ outcome: "Drained", connections: { open: 2, cut: 0 }, forceClosed: [] })
      expect(Duration.toMillis(report.duration)).toBeLessThan(10_000)
      expect(deaf.ending).not.toBe("open")
      expect(backend.begun).toEqual([])
    }).pipe(Effect.provide(silent)))

  it.scopedLive("without withDrain, a warning says what to do", () =>
    Effect.gen(function*() {
      const warnings: Array<string> = []
      const logger = Logger.make(({ logLevel, message }) => {
        if (labelOf(logLevel) === "WARN") warnings.push(String(message))
      })
      const backend = new Backend()
      yield* Layer.build(
        RpcServer.layer(Work).pipe(
          Layer.provide(backend.layer),
          Layer.provide(RpcServer.layerProtocolSocketServer),
          Layer.provide(RpcSerialization.layerNdjson),
          Layer.provide(NodeSocketServer.layer({ host: "127.0.0.1", port: 0 })),
          Layer.provide(Logger.replace(Logger.defaultLogger, logger))
        )
      )
      yield* until("the warning", () => warnings.length > 0)
      expect(warnings[0]).toContain("wrap the layer of its protocol in withDrain of quiesce/rpc")
    }))
})
