import { Socket, SocketServer } from "@effect/platform"
import { NodeSocket } from "@effect/platform-node"
import { describe, expect, it } from "@effect/vitest"
import { Cause, Context, Duration, Effect, Exit, Fiber, Layer, Option } from "effect"
import { NodeSocketServer, Server, type Shutdown } from "../../../src/index.js"
import { client, ended, launch, real, send, silent, targetOf, until, untilPhase } from "../../support/running.js"
import { reasonOf, receive, writerOf } from "../../support/sockets.js"
import { deferred } from "../../support/wait.js"

const handling = <E>(
  handler: (socket: Socket.Socket) => Effect.Effect<unknown, E, Server.Server>,
  policy: Shutdown.Policy = {}
) =>
  launch(
    Layer.scopedDiscard(
      Effect.flatMap(SocketServer.SocketServer, (sockets) => Effect.forkScoped(sockets.run(handler)))
    ).pipe(Layer.provideMerge(NodeSocketServer.layer({ host: "127.0.0.1", port: 0, ...policy }))),
    (context) => targetOf(Context.get(context, SocketServer.SocketServer).address)
  )

const portOf = (address: typeof SocketServer.SocketServer.Service["address"]): number => {
  const target = targetOf(address)
  return "port" in target ? target.port : 0
}

const echo = (socket: Socket.Socket) =>
  Effect.scoped(Effect.flatMap(writerOf(socket), (write) => receive(socket, (chunk) => write(chunk))))

describe("plain sockets", () => {
  it.scopedLive("a connection is known from its accept on, as one that was taken over", () =>
    Effect.gen(function*() {
      const running = yield* handling(echo)
      const peer = yield* client(running.target)
      yield* send(peer, "hello")
      yield* Effect.promise(() => peer.untilText("hello", 15_000))
      const [connection, ...others] = yield* running.server.connections
      expect(connection).toMatchObject({ state: "Hijacked", protocol: "tcp", secure: false, inFlight: [] })
      expect(others).toEqual([])
      yield* running.server.close
    }).pipe(Effect.provide(silent)))

  it.scopedLive("a shutdown waits for a handler, which is told that it has begun", () =>
    Effect.gen(function*() {
      const running = yield* handling((socket) =>
        Effect.gen(function*() {
          const server = yield* Server.Server
          const write = yield* writerOf(socket)
          yield* Effect.raceFirst(
            receive(socket, (chunk) => write(chunk)),
            Effect.zipRight(server.shuttingDown, write("that was all"))
          )
        }).pipe(Effect.scoped), { timeout: "30 seconds" })
      const peer = yield* client(running.target)
      yield* send(peer, "hello, ")
      yield* Effect.promise(() => peer.untilText("hello, ", 15_000))
      const report = yield* running.stop
      yield* ended(peer)
      expect(peer.text()).toBe("hello, that was all")
      expect(peer.ending).toBe("fin")
      expect(report).toMatchObject({ outcome: "Drained", connections: { completed: 1, cut: 0 }, forceClosed: [] })
    }).pipe(Effect.provide(silent)))

  it.scopedLive("at the deadline a handler is interrupted; its connection was owed nothing that we know of", () =>
    Effect.gen(function*() {
      let begun = 0
      let interrupted = 0
      const running = yield* handling(
        (socket) =>
          Effect.sync(() => begun++).pipe(
            Effect.zipRight(echo(socket)),
            Effect.onInterrupt(() => Effect.sync(() => interrupted++))
          ),
        { timeout: "300 millis" }
      )
      const peer = yield* client(running.target)
      yield* until("its handler", () => begun === 1)
      const report = yield* running.stop
      yield* ended(peer)
      expect(interrupted).toBe(1)
      expect(report).toMatchObject({ outcome: "Drained", cut: [], handlers: { interrupted: 1, abandoned: 0 } })
      expect(Duration.toMillis(report.duration)).toBeLessThan(5000)
    }).pipe(Effect.provide(silent)))

  it.scopedLive("interrupting run is a shutdown, and run ends after it; a second run is refused, before it and after", () =>
    Effect.gen(function*() {
      const gate = deferred()
      let begun = false
      let ended = false
      const running = yield* launch(
        NodeSocketServer.layer({ host: "127.0.0.1", port: 0, timeout: "30 seconds" }),
        (context) => targetOf(Context.get(context, SocketServer.SocketServer).address)
      )
      const sockets = Context.get(running.context, SocketServer.SocketServer)
      const run = yield* Effect.fork(sockets.run(() =>
        Effect.promise(() => {
          begun = true
          return gate.promise
        })
      ))
      const peer = yield* client(running.target)
      yield* until("its handler", () => begun)
      const early = yield* Effect.flip(sockets.run(() => Effect.void))
      expect(reasonOf(early)).toBe("Unknown")
      expect(early.cause).toMatchObject({ _tag: "AlreadyRunning" })
      expect(early.message).toContain("has a handler already, or has begun to shut down")
      run.addObserver(() => {
        ended = true
      })
      run.unsafeInterruptAsFork(run.id())
      yield* untilPhase(running.server, "Draining")
      expect((yield* Effect.flip(sockets.run(() => Effect.void))).cause).toMatchObject({ _tag: "AlreadyRunning" })
      expect(ended).toBe(false)
      yield* Effect.sync(() => gate.resolve())
      peer.leave()
      yield* real("run to end", Fiber.await(run))
      expect(yield* running.server.closed).toMatchObject({ outcome: "Drained" })
    }).pipe(Effect.provide(silent)))

  it.scopedLive("a connection waits for run; in a shutdown before it, nobody waits for the connection", () =>
    Effect.gen(function*() {
      const running = yield* launch(
        NodeSocketServer.layer({ host: "127.0.0.1", port: 0, timeout: "30 seconds" }),
        (context) => targetOf(Context.get(context, SocketServer.SocketServer).address)
      )
      const early = yield* client(running.target)
      yield* send(early, "hello")
      yield* until("its connection", () => Effect.runSync(running.server.connections).length === 1)
      const run = yield* Effect.fork(Context.get(running.context, SocketServer.SocketServer).run(echo))
      yield* Effect.promise(() => early.untilText("hello", 15_000))
      early.leave()
      yield* until("it to leave", () => Effect.runSync(running.server.connections).length === 0)
      yield* real("run to end", Fiber.interrupt(run))

      const other = yield* launch(
        NodeSocketServer.layer({ host: "127.0.0.1", port: 0, timeout: "30 seconds" }),
        (context) => targetOf(Context.get(context, SocketServer.SocketServer).address)
      )
      yield* client(other.target)
      yield* until("its connection", () => Effect.runSync(other.server.connections).length === 1)
      const report = yield* other.stop
      expect(Duration.toMillis(report.duration)).toBeLessThan(5000)
    }).pipe(Effect.provide(silent)))

  it.scopedLive("a write after the socket has ended fails, and does not wait for it to be opened again", () =>
    Effect.gen(function*() {
      const written = deferred<Exit.Exit<void, Socket.SocketError>>()
      const running = yield* handling((socket) =>
        Effect.gen(function*() {
          const write = yield* writerOf(socket)
          yield* receive(socket, () => {})
          written.resolve(yield* Effect.exit(write("too late")))
        }).pipe(Effect.scoped)
      )
      const peer = yield* client(running.target)
      yield* until("its connection", () => Effect.runSync(running.server.connections).length === 1)
      peer.halfClose()
      const exit = yield* real("the write to fail", Effect.promise(() => written.promise))
      const error = Exit.isFailure(exit) ? Option.getOrUndefined(Cause.failureOption(exit.cause)) : undefined
      expect(error && reasonOf(error)).toBe("Close")
    }).pipe(Effect.provide(silent)))

  it.scopedLive("the connection is the handler's NetSocket", () =>
    Effect.gen(function*() {
      const seen = deferred<number | undefined>()
      const running = yield* launch(
        Layer.scopedDiscard(
          Effect.flatMap(SocketServer.SocketServer, (sockets) =>
            Effect.forkScoped(sockets.run(() =>
              Effect.map(Effect.serviceOption(NodeSocket.NetSocket), (socket) =>
                seen.resolve(Option.getOrUndefined(socket)?.remotePort))
            )))
        ).pipe(Layer.provideMerge(NodeSocketServer.layer({ host: "127.0.0.1", port: 0 }))),
        (context) =>
          targetOf(Context.get(context, SocketServer.SocketServer).address)
      )
      const peer = yield* client(running.target)
      expect(
        yield* Effect.promise(() =>
          seen.promise
        )
      ).toBe(peer.socket.localPort)
      peer.leave()
    }).pipe(Effect.provide(silent)))

  it.scopedLive("what is wrong with the options is said in the message", () =>
    Effect.gen(function*() {
      const first = yield* NodeSocketServer.make({ host: "127.0.0.1", port: 0 })
      const port = portOf(first.address)
      const taken = yield* Effect.flip(Effect.scoped(NodeSocketServer.make({ host: "127.0.0.1", port })))
      expect(taken).toMatchObject({ _tag: "SocketServerError", cause: { _tag: "ListenError" } })
      expect(reasonOf(taken)).toBe("Open")
      expect(taken.message).toContain(`Cannot listen with port ${port}`)
      const policy = yield* Effect.flip(Effect.scoped(NodeSocketServer.make({ port: 0, timeout: "-1 seconds" })))
      expect(policy).toMatchObject({ cause: { _tag: "InvalidPolicy" } })
    }).pipe(Effect.provide(silent)))
})
