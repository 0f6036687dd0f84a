/**
 * What RPC of Effect 4 has alone: calls whose client waits for no result, replies that come from another fiber, results in
 * binary, and schedulers that never yield.
 */
import { NodeSocket } from "@effect/platform-node"
import { describe, expect, it } from "@effect/vitest"
import { Cause, Context, Deferred, Effect, Exit, Fiber, Layer, Option, Schema } from "effect"
import { Rpc, RpcClient, RpcGroup, RpcSerialization, RpcServer } from "effect/rpc"
import * as Scheduler from "effect/Scheduler"
import { SocketServer } from "effect/socket"
import { NodeSocketServer, type Shutdown } from "../../../src/index.js"
import { withDrain } from "../../../src/rpc.js"
import {
  client as raw,
  launch,
  type Running,
  send,
  silent,
  targetOf,
  until,
  untilPhase
} from "../../support/running.js"
import { deferred } from "../../support/wait.js"

class Work extends RpcGroup.make(
  Rpc.make("Gated", { payload: { id: Schema.String }, success: Schema.String }),
  Rpc.make("Stubborn", { payload: { id: Schema.String }, success: Schema.String }),
  Rpc.make("Later", { payload: { id: Schema.String }, success: Schema.String })
) {}

const makeBackend = () => {
  const begun: Array<string> = []
  const interrupted: Array<string> = []
  const executed: Array<string> = []
  const gate = deferred()
  const replies = Deferred.makeUnsafe<string>()
  const gated = ({ id }: { readonly id: string }) =>
    Effect.suspend(() => {
      begun.push(id)
      return Effect.as(Effect.promise(() => gate.promise), id)
    }).pipe(
      Effect.onInterrupt(() => Effect.sync(() => interrupted.push(id))),
      Effect.tap(() => Effect.sync(() => executed.push(id)))
    )
  const layer = Work.toLayer({
    Gated: gated,
    Stubborn: (payload) => Rpc.uninterruptible(gated(payload)),
    Later: ({ id }) =>
      Effect.sync(() => {
        begun.push(id)
        return replies
      })
  })
  return { begun, executed, gate, interrupted, layer, replies }
}

interface Way {
  readonly concurrency?: number
  readonly drained?: boolean
  readonly neverYields?: boolean
  readonly serialization?: Layer.Layer<RpcSerialization.RpcSerialization>
}

const serving = (
  { layer }: ReturnType<typeof makeBackend>,
  policy: Shutdown.Policy,
  { concurrency, drained = true, neverYields = false, serialization = RpcSerialization.layerNdjson }: Way = {}
) =>
  launch(
    RpcServer.layer(Work, { concurrency: concurrency ?? "unbounded" }).pipe(
      Layer.provide(layer),
      Layer.provide(
        drained ? withDrain(RpcServer.layerProtocolSocketServer) : RpcServer.layerProtocolSocketServer
      ),
      Layer.provide(serialization),
      Layer.provideMerge(NodeSocketServer.layer({ host: "127.0.0.1", port: 0, ...policy })),
      Layer.provide(Layer.succeed(Scheduler.PreventSchedulerYield, neverYields))
    ),
    (context) => targetOf(Context.get(context, SocketServer.SocketServer).address)
  )

const client = (
  { target }: Pick<Running, "target">,
  serialization: Layer.Layer<RpcSerialization.RpcSerialization> = RpcSerialization.layerNdjson
) =>
  Layer.build(Layer.fresh(
    RpcClient.layerProtocolSocket().pipe(
      Layer.provide(NodeSocket.layerNet({ host: "127.0.0.1", port: "port" in target ? target.port : 0 }))
    )
  )).pipe(
    Effect.flatMap((context) => Effect.provide(RpcClient.make(Work), context)),
    Effect.provide(serialization)
  )

const failure = (exit: Exit.Exit<unknown, unknown>) =>
  Exit.isFailure(exit)
    ? Option.match(Cause.findErrorOption(exit.cause), {
      onNone: () => Cause.pretty(exit.cause),
      onSome: (error) => (error as { readonly _tag: string })._tag
    })
    : "none"

const long = { timeout: "30 seconds" } as const
const short = { timeout: "300 millis", killTimeout: "10 seconds" } as const

const named = ({ cut }: Shutdown.Report) => cut.map(({ clientReceived, path }) => `${path}: ${clientReceived}`).sort()

/** JSON-RPC without an id: nobody waits for its result. */
const notification = `{"jsonrpc":"2.0","method":"Gated","params":{"id":"noted"}}\n`

describe("RPC of Effect 4", () => {
  it.live("a call whose client was told that it is executed is executed, and so is a notification", () =>
    Effect.gen(function*() {
      const backend = makeBackend()
      const serialization = RpcSerialization.layerNdJsonRpc()
      const running = yield* serving(backend, long, { serialization })
      const caller = yield* client(running, serialization)
      yield* caller.Gated({ id: "discarded" }, { discard: true })
      const peer = yield* raw(running.target)
      yield* send(peer, notification)
      yield* until("both to begin", () => backend.begun.length === 2)
      yield* running.interrupt
      yield* untilPhase(running.server, "Draining")
      expect(backend.executed).toEqual([])
      yield* Effect.sync(() => backend.gate.resolve())
      const report = yield* running.report
      expect(report).toMatchObject({ outcome: "Drained", served: 2, cut: [] })
      expect(backend.executed.toSorted()).toEqual(["discarded", "noted"])
    }).pipe(Effect.provide(silent)))

  it.live("one that the deadline cuts is in the report, as nobody else would hear of it", () =>
    Effect.gen(function*() {
      const backend = makeBackend()
      const serialization = RpcSerialization.layerNdJsonRpc()
      const running = yield* serving(backend, short, { serialization })
      const caller = yield* client(running, serialization)
      yield* caller.Gated({ id: "discarded" }, { discard: true })
      const peer = yield* raw(running.target)
      yield* send(peer, notification)
      yield* until("both to begin", () => backend.begun.length === 2)
      const report = yield* running.stop
      expect(named(report)).toEqual(["Gated: none", "Gated: none"])
      expect(report).toMatchObject({ outcome: "DeadlineExceeded", handlers: { abandoned: 0 } })
      expect(backend.interrupted.toSorted()).toEqual(["discarded", "noted"])
    }).pipe(Effect.provide(silent)))

  it.live("a reply that another fiber sends is waited for", () =>
    Effect.gen(function*() {
      const backend = makeBackend()
      const running = yield* serving(backend, long)
      const caller = yield* client(running)
      const call = yield* Effect.forkChild(caller.Later({ id: "later" }))
      yield* until("the call to begin", () => backend.begun.length === 1)
      yield* running.interrupt
      yield* untilPhase(running.server, "Draining")
      yield* Effect.sleep("100 millis")
      expect(call.pollUnsafe()).toBe(undefined)
      yield* Deferred.succeed(backend.replies, "the reply")
      expect(yield* Fiber.join(call)).toBe("the reply")
      expect(yield* running.report).toMatchObject({ outcome: "Drained", served: 1, cut: [] })
    }).pipe(Effect.provide(silent)))

  it.live("one that does not come is cut, with `withDrain` and without", () =>
    Effect.gen(function*() {
      for (const drained of [true, false]) {
        const backend = makeBackend()
        const running = yield* serving(backend, short, { drained })
        const caller = yield* client(running)
        const call = yield* Effect.forkChild(caller.Later({ id: "later" }))
        yield* until("the call to begin", () => backend.begun.length === 1)
        yield* Effect.sleep("50 millis")
        const report = yield* running.stop
        expect(named(report)).toEqual([drained ? "Later: none" : "(unnamed): none"])
        expect(Exit.isFailure(yield* Fiber.await(call))).toBe(true)
        if (drained) expect(failure(yield* Fiber.await(call))).toBe("RpcClientError")
      }
    }).pipe(Effect.provide(silent)))

  it.live.each(
    [
      ["JSON", RpcSerialization.layerNdjson],
      ["binary", RpcSerialization.layerSchemaBinary()],
      ["binary with fingerprints", RpcSerialization.layerSchemaBinary({ fingerprintPayloads: true })]
    ] as const
  )(
    "%s: at the deadline, what can be interrupted fails for its client and is in the report, and the rest has its result",
    ([, serialization]) =>
      Effect.gen(function*() {
        const backend = makeBackend()
        const running = yield* serving(backend, short, { serialization })
        const caller = yield* client(running, serialization)
        const stubborn = yield* Effect.forkChild(caller.Stubborn({ id: "stubborn" }))
        const stuck = yield* Effect.forkChild(caller.Gated({ id: "stuck" }))
        yield* until("both to begin", () => backend.begun.length === 2)
        yield* running.interrupt
        yield* until("the deadline", () => backend.interrupted.includes("stuck"))
        yield* Effect.sync(() => backend.gate.resolve())
        const report = yield* running.report
        expect(yield* Fiber.join(stubborn)).toBe("stubborn")
        expect(failure(yield* Fiber.await(stuck))).toBe("RpcClientError")
        expect(named(report)).toEqual(["Gated: none"])
        expect(report.handlers.abandoned).toBe(0)
      }).pipe(Effect.provide(silent))
  )

  it.live("a call that waits for its turn is cut as one that runs", () =>
    Effect.gen(function*() {
      const backend = makeBackend()
      const running = yield* serving(backend, short, { concurrency: 1 })
      const caller = yield* client(running)
      const first = yield* Effect.forkChild(caller.Gated({ id: "first" }))
      yield* until("it to begin", () => backend.begun.length === 1)
      const second = yield* Effect.forkChild(caller.Gated({ id: "second" }))
      yield* until("both to be in flight", () => Effect.runSync(running.server.connections)[0]?.inFlight.length === 2)
      const report = yield* running.stop
      expect(failure(yield* Fiber.await(first))).toBe("RpcClientError")
      expect(failure(yield* Fiber.await(second))).toBe("RpcClientError")
      expect(named(report)).toEqual(["Gated: none", "Gated: none"])
      expect(backend.begun).toEqual(["first"])
    }).pipe(Effect.provide(silent)))

  it.live.each([true, false])(
    "a scheduler that never yields hides no call: withDrain %s",
    (drained) =>
      Effect.gen(function*() {
        const backend = makeBackend()
        const running = yield* serving(backend, short, { drained, neverYields: true })
        const caller = yield* client(running)
        yield* Effect.forkChild(caller.Gated({ id: "stuck" }))
        yield* until("the call to begin", () => backend.begun.length === 1)
        expect(named(yield* running.stop)).toEqual(["Gated: none"])
      }).pipe(Effect.provide(silent))
  )
})
