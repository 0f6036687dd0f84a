import { assert, it } from "@effect/vitest"
import { Effect, Queue, Stream } from "effect"
import * as Https from "node:https"
import * as Tls from "node:tls"
import { Listener, Server } from "../../../src/index.js"
import { type Certificate, certificate, makeCertificate } from "../../support/certificate.js"
import { silent, until } from "../../support/running.js"

/** A keep-alive connection that trusts one certificate only; rejects where the server shows another. */
const connect = (port: number, trusted: Certificate) =>
  Effect.acquireRelease(
    Effect.promise(() =>
      new Promise<Tls.TLSSocket>((resolve, reject) => {
        const socket = Tls.connect({ host: "127.0.0.1", port, ca: trusted.cert }, () => resolve(socket))
        socket.on("error", reject)
      })
    ),
    (socket) => Effect.sync(() => socket.destroy())
  )

const ask = (socket: Tls.TLSSocket) =>
  Effect.promise(() =>
    new Promise<string>((resolve, reject) => {
      socket.once("data", (chunk) => resolve(chunk.toString()))
      socket.once("close", () => reject(new Error("closed")))
      socket.write("GET / HTTP/1.1\r\nHost: test\r\n\r\n")
    })
  )

it.scopedLive("a renewed certificate is shown to new connections, and the open ones go on", () =>
  Effect.gen(function*() {
    const renewed = yield* Effect.promise(makeCertificate)
    const contexts = yield* Queue.unbounded<Tls.SecureContextOptions>()
    const node = Https.createServer(certificate, (_, response) => response.end("hello"))
    const server = yield* Server.make({ idleGrace: 0 })
    const { address } = yield* server.listen(() => node, { host: "127.0.0.1", port: 0 })
    const port = "port" in address ? address.port : 0
    yield* Listener.renewCertificate(node, Stream.fromQueue(contexts))

    const old = yield* connect(port, certificate)
    assert.match(yield* ask(old), /hello$/)
    // refused by Node: the key is another certificate's
    yield* Queue.offer(contexts, { key: certificate.key, cert: renewed.cert })
    yield* Queue.offer(contexts, { key: renewed.key, cert: renewed.cert })
    // on Effect 3, who waits for the next one counts
    yield* until("the queue to be empty", () => Effect.runSync(Queue.size(contexts)) <= 0)
    const next = yield* connect(port, renewed)
    assert.match(yield* ask(next), /hello$/)
    assert.match(yield* ask(old), /hello$/)
    const { connections } = yield* server.shutdown
    assert.deepInclude(connections, { open: 2, cut: 0 })
  }).pipe(Effect.provide(silent)))

it.scopedLive("one that Node refuses leaves the previous one in use", () =>
  Effect.gen(function*() {
    const other = yield* Effect.promise(makeCertificate)
    const node = Https.createServer(certificate, (_, response) => response.end("hello"))
    const server = yield* Server.make({ idleGrace: 0 })
    const { address } = yield* server.listen(() => node, { host: "127.0.0.1", port: 0 })
    yield* Listener.renewCertificate(node, Stream.make({ key: certificate.key, cert: other.cert }))
    yield* Effect.sleep("20 millis")
    const socket = yield* connect("port" in address ? address.port : 0, certificate)
    assert.match(yield* ask(socket), /hello$/)
  }).pipe(Effect.provide(silent)))
