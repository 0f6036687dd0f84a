// Go's tests 9 to 13 and 53 to 56: servers that speak TLS, and what they negotiate.
import { expect, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as Http2 from "node:http2"
import * as Https from "node:https"
import * as Tls from "node:tls"
import { Listener } from "../../../src/index.js"
import { certificate, makeCertificate } from "../../support/certificate.js"
import * as Frames from "../../support/http2Frames.js"
import type { Target } from "../../support/rawClient.js"
import { client, ended, get, limit, real, send, until, untilStates } from "../../support/running.js"
import { waitFor } from "../../support/wait.js"
import { type Observed, serveNode, untilStopsListening } from "./harness.js"
import { http2Client, ok, response2, untilEnded, write } from "./http2Harness.js"

const trust = { ca: certificate.cert }

/** What a client that offers these protocols gets: the one that was negotiated, or none where it was turned away. */
const negotiated = (target: Target, ALPNProtocols: ReadonlyArray<string>, ca = certificate.cert) =>
  Effect.scoped(
    Effect.map(handshake(target, { ALPNProtocols: [...ALPNProtocols], ca }), (socket) => socket?.alpnProtocol)
  )

const handshake = (
  target: Target,
  options: Tls.ConnectionOptions
): Effect.Effect<Tls.TLSSocket | undefined, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.promise(() =>
      waitFor(
        "the handshake",
        new Promise<Tls.TLSSocket | undefined>((resolve) => {
          const socket = Tls.connect({ host: "127.0.0.1", ...target, ...options }, () => resolve(socket))
          socket.on("error", () => resolve(undefined))
        }),
        limit
      )
    ),
    (socket) => Effect.sync(() => socket?.destroy())
  )

/** The whole of what a client of HTTP/1.1 gets that sends one request, and closes when the server does. */
const exchange = (socket: Tls.TLSSocket, request: string) => {
  let text = ""
  socket.on("data", (chunk: Buffer) => {
    text += chunk.toString()
  })
  socket.write(request)
  return until(() => `an answer, not ${text}`, () => text.endsWith("ok") && text)
}

const ok1 = (_: unknown, response: { readonly end: (body: string) => unknown }) => void response.end("ok")

it.scoped("T9: TestServeTLS: a server with a certificate negotiates HTTP/2, and drains", () =>
  Effect.gen(function*() {
    const app = yield* serveNode(Http2.createSecureServer({ ...certificate, allowHTTP1: true }, ok))
    expect(yield* negotiated(app.target, ["h2", "http/1.1"])).toBe("h2")
    const peer = yield* http2Client(app, { tls: trust })
    yield* write(peer, Frames.request(1))
    expect(yield* response2(peer, 1)).toEqual({ status: 200, body: "ok" })
    const old = yield* handshake(app.target, { ...trust, ALPNProtocols: ["http/1.1"] })
    if (old === undefined) throw new Error("turned away")
    expect(yield* exchange(old, get("/"))).toMatch(/^HTTP\/1.1 200 /)
    const protocols = (yield* app.server.connections).map(({ protocol, secure }) => [protocol, secure])
    expect(protocols.slice(-2)).toEqual([["h2", true], ["http/1.1", true]])
    expect(yield* app.stop).toMatchObject({ outcome: "Drained", forceClosed: [], cut: [] })
    yield* untilEnded(peer)
  }))

it.scoped("T10: TestServerHTTP2Disabled: a server of HTTP/1.1 alone is listened with, and shut down", () =>
  Effect.gen(function*() {
    const app = yield* serveNode(Https.createServer(certificate, ok1))
    const peer = yield* handshake(app.target, { ...trust, ALPNProtocols: ["h2", "http/1.1"] })
    if (peer === undefined) throw new Error("turned away")
    expect(peer.alpnProtocol).toBe("http/1.1")
    expect(yield* exchange(peer, get("/"))).toMatch(/^HTTP\/1.1 200 /)
    yield* app.history.until("New,Active,Idle")
    expect(yield* app.stop).toMatchObject({
      outcome: "Drained",
      forceClosed: [],
      connections: { open: 1, idleClosed: 1 }
    })
    yield* app.history.until("New,Active,Idle,Closed")
  }))

it.scoped("T11: TestAutomaticHTTP2_Serve: HTTP/2 is spoken where the Node server is made for it, and nowhere else", () =>
  Effect.gen(function*() {
    const servers: ReadonlyArray<readonly [Listener.NodeServer, Record<string, string | undefined>]> = [
      [Https.createServer(certificate, ok1), { "h2": undefined, "http/1.1": "http/1.1", "h2,http/1.1": "http/1.1" }],
      [Http2.createSecureServer(certificate, ok), { "h2": "h2", "http/1.1": undefined, "h2,http/1.1": "h2" }],
      [Http2.createSecureServer({ ...certificate, allowHTTP1: true }, ok), {
        "h2": "h2",
        "http/1.1": "http/1.1",
        "h2,http/1.1": "h2"
      }]
    ]
    for (const [node, expected] of servers) {
      const app = yield* serveNode(node)
      for (const [offered, protocol] of Object.entries(expected)) {
        expect(yield* negotiated(app.target, offered.split(",")), offered).toBe(protocol)
      }
      expect(yield* app.stop).toMatchObject({ outcome: "Drained", forceClosed: [], connections: { cut: 0 } })
    }
  }))

it.scoped("T12: TestAutomaticHTTP2_ListenAndServe: HTTP/2 is negotiated with each way of giving a certificate", () =>
  Effect.gen(function*() {
    const other = yield* Effect.promise(makeCertificate)
    const SNICallback = (_: string, done: (error: Error | null, context?: Tls.SecureContext) => void) =>
      done(null, Tls.createSecureContext(certificate))
    const late = Http2.createSecureServer({}, ok)
    late.setSecureContext(certificate)
    for (
      const node of [Http2.createSecureServer(certificate, ok), Http2.createSecureServer({ SNICallback }, ok), late]
    ) {
      const app = yield* serveNode(node)
      const peer = yield* http2Client(app, { tls: { ...trust, servername: "localhost" } })
      yield* write(peer, Frames.request(1))
      expect(yield* response2(peer, 1)).toEqual({ status: 200, body: "ok" })
      expect((yield* app.stop).outcome).toBe("Drained")
    }
    const node = Http2.createSecureServer(certificate, ok)
    const app = yield* serveNode(node)
    const renewed = yield* Deferred.make<void>()
    const contexts = Stream.concat(
      Stream.make(other),
      Stream.drain(Stream.fromEffect(Deferred.succeed(renewed, undefined)))
    )
    yield* Listener.renewCertificate(node, contexts)
    yield* real("the new certificate", Deferred.await(renewed))
    expect(yield* negotiated(app.target, ["h2"], other.cert)).toBe("h2")
  }))

it.scoped("T13: TestServerTLSNextProtos: the list of protocols that the server was given is left as it was", () =>
  Effect.gen(function*() {
    const ALPNProtocols = Object.freeze(["h2", "http/1.1"]) as Array<string>
    const app = yield* serveNode(Http2.createSecureServer({ ...certificate, allowHTTP1: true, ALPNProtocols }, ok))
    expect(yield* negotiated(app.target, ["http/1.1", "h2"])).toBe("h2")
    yield* app.stop
    expect(ALPNProtocols).toEqual(["h2", "http/1.1"])
  }))

/** Why TLS clients were turned away. */
const refusals = (node: Tls.Server): ReadonlyArray<string | undefined> => {
  const codes: Array<string | undefined> = []
  node.on("tlsClientError", (error: NodeJS.ErrnoException) => codes.push(error.code))
  return codes
}

const silentIn = (app: Observed<unknown>) => Effect.tap(client(app.target), () => untilStates(app.server, "New"))

it.scoped("T53: TestTLSHandshakeTimeout: a client that is silent instead of its handshake is cut off, and told of", () =>
  Effect.gen(function*() {
    const node = Https.createServer({ ...certificate, handshakeTimeout: 100 }, ok1)
    const codes = refusals(node)
    const app = yield* serveNode(node)
    const silent = yield* silentIn(app)
    expect((yield* app.server.connections)[0]).toMatchObject({ protocol: "tls", state: "New" })
    expect(yield* ended(silent)).toBe("fin")
    yield* app.history.until("New,Closed")
    expect(codes).toEqual(["ERR_TLS_HANDSHAKE_TIMEOUT"])
  }))

it.scoped("T53: the same in a drain, whose own rule for new connections comes later", () =>
  Effect.gen(function*() {
    const app = yield* serveNode(Http2.createSecureServer({ ...certificate, handshakeTimeout: 1000 }, ok))
    const silent = yield* silentIn(app)
    // the clock stands still: what ends this drain is that timeout
    const report = yield* app.stop
    expect(yield* ended(silent)).toBe("fin")
    expect(report).toMatchObject({ outcome: "Drained", connections: { open: 1, completed: 1, idleClosed: 0, cut: 0 } })
  }))

it.scoped("T55: TestTLSServer: a client that is silent keeps no other from its handshake, in a drain as well", () =>
  Effect.gen(function*() {
    const app = yield* serveNode(Https.createServer(certificate, ok1))
    const silent = yield* silentIn(app)
    const under = yield* client(app.target)
    yield* untilStates(app.server, "New", "New")
    const peer = yield* handshake(app.target, trust)
    if (peer === undefined) throw new Error("turned away")
    expect(yield* exchange(peer, get("/"))).toMatch(/^HTTP\/1.1 200 /)
    yield* app.interrupt
    yield* untilStopsListening(app.node)
    const late = yield* handshake(app.target, { ...trust, socket: under.socket })
    if (late === undefined) throw new Error("turned away")
    expect(yield* exchange(late, get("/"))).toMatch(/^HTTP\/1.1 200 [^]*Connection: close/)
    expect(silent.ending).toBe("open")
    silent.leave()
    expect(yield* app.report).toMatchObject({ outcome: "Drained", served: 1, forceClosed: [] })
  }))

it.scoped("T56: TestTLSServerRejectHTTPRequests: plain HTTP gets a 400 that says so, and reaches no handler", () =>
  Effect.gen(function*() {
    let ran = 0
    for (
      const node of [
        Https.createServer(certificate, () => ran++),
        Http2.createSecureServer(certificate, () => ran++)
      ]
    ) {
      const codes = refusals(node)
      const app = yield* serveNode(node)
      const plain = yield* client(app.target)
      yield* send(plain, get("/"))
      yield* ended(plain)
      yield* app.history.until("New,Closed")
      expect(codes).toEqual(["ERR_SSL_HTTP_REQUEST"])
      expect(plain.text()).toBe(
        "HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n"
      )
      expect((yield* app.stop).outcome).toBe("Drained")
    }
    expect(ran).toBe(0)
  }))
