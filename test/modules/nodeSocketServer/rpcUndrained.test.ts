/**
 * RPC over WebSockets and sockets without `withDrain`: calls in flight are waited for where their server is there for as
 * long, and the report names those that are cut, and no others.
 */
import { describe, expect, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Logger, Scope, Stream } from "effect"
import * as Net from "node:net"
import { WebSocket } from "ws"
import type { Shutdown } from "../../../src/index.js"
import { real, reportOf, type Running, silent, until, untilPhase } from "../../support/running.js"
import { Backend, client, idlePeer, serving, urlOf } from "./rpcServer.js"
import { serializations } from "./serializations.js"

const webSockets = ["WebSockets of ws", "WebSockets of an HttpApp"] as const
const kinds = ["sockets", ...webSockets] as const

const short = { timeout: "500 millis", killTimeout: "2 seconds" } as const
const undrained = { drained: false } as const

const named = ({ cut }: Shutdown.Report) =>
  cut.map(({ clientReceived, by, method, path }) =>
    `${method} ${path}: ${clientReceived}${by === undefined ? "" : ` by ${by}`}`
  ).sort()

/** A client with a call and a stream under way, and a call that has had its answer. */
const busy = (...args: Parameters<typeof client>) =>
  Effect.gen(function*() {
    const caller = yield* client(...args)
    expect(yield* caller.Quick({ id: "done" })).toBe("done")
    let ticks = 0
    const call = yield* Effect.fork(caller.Gated({ id: "stuck" }))
    const stream = yield* Effect.fork(Stream.runForEach(caller.Endless(), () => Effect.sync(() => ticks++)))
    yield* until("a tick", () => ticks > 1)
    return { caller, call, stream }
  })

/**
 * Sends a call, and the next one when it has been answered, until it is closed. `@effect/rpc`'s own client drops what it
 * has read together with the close.
 */
const callAllTheTime = (
  protocol: typeof kinds[number],
  running: Running,
  name: string,
  answered: Array<string>
): Promise<void> => {
  const { target } = running
  const port = "port" in target ? target.port : 0
  let write = (_: string) => {}
  let n = 0
  const call = () => {
    const request = { _tag: "Request", id: `${++n}`, tag: "Slow", payload: { id: `${name}.${n}` }, headers: [] }
    write(`${JSON.stringify(request)}\n`)
  }
  let text = ""
  const read = (chunk: string) => {
    text += chunk
    for (let end = text.indexOf("\n"); end >= 0; end = text.indexOf("\n")) {
      const message = JSON.parse(text.slice(0, end)) as { readonly exit?: { readonly value?: string } }
      text = text.slice(end + 1)
      if (message.exit?.value === undefined) continue
      answered.push(message.exit.value)
      call()
    }
  }
  return new Promise((resolve) => {
    if (protocol === "sockets") {
      const socket = Net.connect(port, "127.0.0.1", call).setEncoding("utf8").on("data", read)
      socket.on("error", () => {}).on("close", () => resolve())
      write = (line) => void socket.write(line)
    } else {
      const socket = new WebSocket(urlOf(protocol, running))
      socket.on("open", call).on("message", (data: Buffer) => read(data.toString()))
      socket.on("error", () => {}).on("close", () => resolve())
      write = (line) => socket.send(line)
    }
  })
}

describe.each(kinds)("RPC without withDrain over %s", (protocol) => {
  it.scopedLive("a shutdown whose server is stopped first names the calls that it cuts", () =>
    Effect.gen(function*() {
      const backend = new Backend()
      const running = yield* serving(protocol, backend, short, undrained)
      const { call, stream } = yield* busy(protocol, running)
      yield* until("the call to begin", () => backend.begun.includes("stuck"))
      const report = yield* reportOf(running.server.shutdown)
      expect(named(report)).toEqual(["RPC Endless: truncated", "RPC Gated: none"])
      expect(report.outcome).toBe("DeadlineExceeded")
      expect(report.connections).toEqual({ open: 1, accepted: 0, completed: 0, idleClosed: 0, cut: 1 })
      expect(Exit.isFailure(yield* Fiber.await(call))).toBe(true)
      expect(Exit.isFailure(yield* Fiber.await(stream))).toBe(true)
    }).pipe(Effect.provide(silent)))

  it.scopedLive("calls that end before the deadline have their result, and later ones are not executed", () =>
    Effect.gen(function*() {
      const backend = new Backend()
      // nothing asks who is idle on a socket to leave
      const timeout = protocol === "sockets" ? "2 seconds" : "30 seconds"
      const running = yield* serving(protocol, backend, { timeout }, undrained)
      const caller = yield* client(protocol, running)
      const call = yield* Effect.fork(caller.Gated({ id: "in time" }))
      yield* until("the call to begin", () => backend.begun.includes("in time"))
      const asked = protocol === "sockets" ? Effect.void : yield* idlePeer(protocol, running)
      const stopping = yield* Effect.fork(reportOf(running.server.shutdown))
      yield* untilPhase(running.server, "Draining")
      // who has connected before it, and waited for nothing, would have been as well
      yield* asked
      const [connection] = yield* running.server.connections
      expect(connection).toMatchObject({ inFlight: [{ method: "RPC", path: "Gated" }] })
      yield* Effect.sync(() => backend.gate.resolve())
      expect(yield* Fiber.join(call)).toBe("in time")
      if (protocol !== "sockets") expect(Exit.isFailure(yield* Effect.exit(caller.Quick({ id: "late" })))).toBe(true)
      expect(yield* Fiber.join(stopping)).toMatchObject({ cut: [], outcome: "Drained", served: 1 })
      expect(backend.executed).toEqual(["in time"])
    }).pipe(Effect.provide(silent)))

  it.scopedLive("one whose layers are released says what its release has cut, and what to do", () =>
    Effect.gen(function*() {
      const lines: Array<string> = []
      const logger = Logger.make(({ message }) => {
        lines.push(String(message))
      })
      const backend = new Backend()
      const running = yield* serving(protocol, backend, short, undrained).pipe(
        Effect.provide(Logger.replace(Logger.defaultLogger, logger))
      )
      yield* busy(protocol, running)
      yield* until("the call to begin", () => backend.begun.includes("stuck"))
      const report = yield* running.stop
      const last = lines.filter((line) => line.includes("cut")).at(-1)
      expect(last).toContain("2 requests cut")
      if (protocol === "WebSockets of an HttpApp") {
        // it is released after the drain
        expect(named(report)).toEqual(["RPC Endless: truncated", "RPC Gated: none"])
        expect(report.outcome).toBe("DeadlineExceeded")
      } else {
        expect(named(report)).toEqual(["RPC Endless: truncated by rpc", "RPC Gated: none by rpc"])
        expect(report.outcome).toBe("Cut")
        expect(last).toContain("withDrain")
      }
    }))

  it.scopedLive("clients that call all the time: what was begun is answered, or in the report", () =>
    Effect.gen(function*() {
      const backend = new Backend()
      const running = yield* serving(protocol, backend, short, undrained)
      const answered: Array<string> = []
      const clients = Array.from({ length: 8 }, (_, name) => callAllTheTime(protocol, running, `${name}`, answered))
      yield* until("all to be busy", () => answered.length > 20)
      const report = yield* running.stop
      yield* real("the clients to have been closed", Effect.promise(() => Promise.all(clients)))
      const lost = backend.begun.filter((id) => !answered.includes(id))
      expect(report.cut.length).toBe(lost.length)
      expect(new Set(report.cut.map(({ path }) => path))).toEqual(new Set(lost.length > 0 ? ["Slow"] : []))
    }).pipe(Effect.provide(silent)))

  it.scopedLive("a client that waits for nothing, and one that has left, are not in it", () =>
    Effect.gen(function*() {
      const backend = new Backend()
      const running = yield* serving(protocol, backend, { ...short, timeout: "10 seconds" }, undrained)
      const scope = yield* Scope.make()
      const { caller } = yield* Scope.extend(busy(protocol, running), scope)
      yield* until("the call to begin", () => backend.begun.includes("stuck"))
      // a client interrupts what it no longer wants
      const unwanted = yield* Effect.forkIn(caller.Gated({ id: "unwanted" }), scope)
      yield* until("the call to begin", () => backend.begun.includes("unwanted"))
      yield* Fiber.interrupt(unwanted)
      yield* until("it to be interrupted", () => backend.interrupted.includes("unwanted"))
      yield* Scope.close(scope, Exit.void)
      yield* until("the others to be interrupted", () => backend.interrupted.length === 2)
      const report = yield* reportOf(running.server.shutdown)
      expect(report).toMatchObject({ outcome: "Drained", cut: [] })
    }).pipe(Effect.provide(silent)))
})

describe.each(webSockets)("RPC without withDrain over %s", (protocol) => {
  it.scopedLive.each(serializations)("in every serialization: %s", ([, serialization]) =>
    Effect.gen(function*() {
      const backend = new Backend()
      const running = yield* serving(protocol, backend, short, { ...undrained, serialization })
      yield* busy(protocol, running, serialization)
      yield* until("the call to begin", () => backend.begun.includes("stuck"))
      const by = protocol === "WebSockets of an HttpApp" ? "" : " by rpc"
      expect(named(yield* running.stop)).toEqual([`RPC Endless: truncated${by}`, `RPC Gated: none${by}`])
    }).pipe(Effect.provide(silent)))

  it.scopedLive("layers that are released in parallel", () =>
    Effect.gen(function*() {
      const backend = new Backend()
      const running = yield* serving(protocol, backend, short, { ...undrained, shape: "parallel" })
      yield* busy(protocol, running)
      yield* until("the call to begin", () => backend.begun.includes("stuck"))
      const report = yield* running.stop
      expect(named(report)).toEqual(["RPC Endless: truncated by rpc", "RPC Gated: none by rpc"])
      expect(report.outcome).toBe("Cut")
    }).pipe(Effect.provide(silent)))

  it.scopedLive("a stream that ends itself when a shutdown begins is not cut", () =>
    Effect.gen(function*() {
      const running = yield* serving(protocol, new Backend(), short, undrained)
      const caller = yield* client(protocol, running)
      let ticks = 0
      const stream = yield* Effect.fork(Stream.runForEach(caller.Polite(), () => Effect.sync(() => ticks++)))
      yield* until("a tick", () => ticks > 0)
      const report = yield* reportOf(running.server.shutdown)
      expect(Exit.isSuccess(yield* Fiber.await(stream))).toBe(true)
      expect(report).toMatchObject({ outcome: "Drained", cut: [] })
    }).pipe(Effect.provide(silent)))

  it.scopedLive("a client that is idle leaves, and no call is made up", () =>
    Effect.gen(function*() {
      const running = yield* serving(protocol, new Backend(), short, undrained)
      const caller = yield* client(protocol, running)
      expect(yield* caller.Quick({ id: "done" })).toBe("done")
      expect(yield* running.stop).toMatchObject({ outcome: "Drained", cut: [], connections: { open: 1, cut: 0 } })
    }).pipe(Effect.provide(silent)))

  it.scopedLive("a server that is not traced has no names for its calls, and reports them all the same", () =>
    Effect.gen(function*() {
      const backend = new Backend()
      const running = yield* serving(protocol, backend, short, { ...undrained, disableTracing: true })
      yield* busy(protocol, running)
      yield* until("the call to begin", () => backend.begun.includes("stuck"))
      expect(named(yield* reportOf(running.server.shutdown))).toEqual([
        "RPC (unnamed): none",
        "RPC (unnamed): truncated"
      ])
    }).pipe(Effect.provide(silent)))

  it.scopedLive("`close` names what it cuts", () =>
    Effect.gen(function*() {
      const backend = new Backend()
      const running = yield* serving(protocol, backend, short, undrained)
      yield* busy(protocol, running)
      yield* until("the call to begin", () => backend.begun.includes("stuck"))
      const report = yield* running.server.close
      expect(named(report)).toEqual(["RPC Endless: truncated", "RPC Gated: none"])
      expect(report.outcome).toBe("Closed")
    }).pipe(Effect.provide(silent)))
})
