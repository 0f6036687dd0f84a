import { type Socket, SocketServer } from "@effect/platform"
import { NodeSocket } from "@effect/platform-node"
import { describe, expect, it } from "@effect/vitest"
import { Context, Effect, Layer, Option } from "effect"
import * as Tls from "node:tls"
import { NodeSocketServer, Server } from "../../../src/index.js"
import { certificate } from "../../support/certificate.js"
import { client, ended, launch, limit, send, silent, targetOf, until } from "../../support/running.js"
import { receive, writerOf } from "../../support/sockets.js"
import { deferred, waitFor } from "../../support/wait.js"

const handling = <E>(handler: (socket: Socket.Socket) => Effect.Effect<unknown, E, Server.Server>) =>
  launch(
    Layer.scopedDiscard(
      Effect.flatMap(SocketServer.SocketServer, (sockets) => Effect.forkScoped(sockets.run(handler)))
    ).pipe(
      Layer.provideMerge(
        NodeSocketServer.layerTls({ host: "127.0.0.1", port: 0, timeout: "30 seconds", ...certificate })
      )
    ),
    (context) => targetOf(Context.get(context, SocketServer.SocketServer).address)
  )

/** A client whose handshake is through. */
const secured = (target: { readonly port: number } | object) =>
  Effect.acquireRelease(
    Effect.promise(async () => {
      const closed = deferred()
      const socket = Tls.connect({
        port: "port" in target ? target.port : 0,
        host: "127.0.0.1",
        ca: certificate.cert
      })
      const peer = { closed, socket, text: "" }
      const opened = deferred()
      socket.on("secureConnect", () => opened.resolve()).on("error", (error) => opened.reject(error))
      socket.on("data", (chunk: Buffer) => peer.text += chunk.toString()).on("close", () => closed.resolve())
      await waitFor("the handshake", opened.promise, limit)
      return peer
    }),
    ({ socket }) => Effect.sync(() => socket.destroy())
  )

describe("sockets over TLS", () => {
  it.scopedLive("a shutdown waits for a handler, which has the socket that it is read and written by", () =>
    Effect.gen(function*() {
      let secure = false
      const running = yield* handling((socket) =>
        Effect.gen(function*() {
          const server = yield* Server.Server
          const conn = Option.getOrUndefined(yield* Effect.serviceOption(NodeSocket.NetSocket))
          secure = conn instanceof Tls.TLSSocket
          const write = yield* writerOf(socket)
          yield* Effect.raceFirst(
            receive(socket, (chunk) => write(chunk)),
            Effect.zipRight(server.shuttingDown, write("that was all"))
          )
        }).pipe(Effect.scoped)
      )
      const peer = yield* secured(running.target)
      peer.socket.write("hello, ")
      yield* until("the echo", () => peer.text === "hello, ")
      expect((yield* running.server.connections)[0]).toMatchObject({ state: "Hijacked", protocol: "tcp", secure: true })
      const report = yield* running.stop
      yield* Effect.promise(() => waitFor("its end", peer.closed.promise, limit))
      expect(peer.text).toBe("hello, that was all")
      expect(secure).toBe(true)
      expect(report).toMatchObject({ outcome: "Drained", connections: { completed: 1, cut: 0 }, forceClosed: [] })
    }).pipe(Effect.provide(silent)))

  it.scopedLive("who fails the handshake is destroyed, and no handler hears of it", () =>
    Effect.gen(function*() {
      let begun = 0
      const running = yield* handling(() => Effect.sync(() => begun++))
      const plain = yield* client(running.target)
      yield* send(plain, "GET / HTTP/1.1\r\n\r\n")
      yield* ended(plain)
      yield* until("it to be forgotten", () => Effect.runSync(running.server.connections).length === 0)
      expect(begun).toBe(0)
      yield* secured(running.target)
      yield* until("its handler", () => begun === 1)
    }).pipe(Effect.provide(silent)))

  it.scopedLive("what is wrong with the options is said in the message", () =>
    Effect.gen(function*() {
      const failing = (options: object) =>
        Effect.flip(Effect.scoped(NodeSocketServer.makeTls({ host: "127.0.0.1", port: 0, ...options })))
      const unusable = yield* failing({ key: "no key", cert: certificate.cert })
      expect(unusable).toMatchObject({ _tag: "SocketServerError", cause: { _tag: "ListenError" } })
      expect(unusable.message).toContain("Cannot listen with")
      const misspelt = yield* failing({ ...certificate, timout: "1 second" })
      expect(misspelt.message).toMatch(/^timout is .*: did you mean "timeout"\? There is /)
      const newer: object = { anOptionOfALaterNode: true }
      yield* Effect.scoped(NodeSocketServer.makeTls({ host: "127.0.0.1", port: 0, ...certificate, ...newer }))
    }).pipe(Effect.provide(silent)))
})
