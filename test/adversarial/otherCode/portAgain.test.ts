import { HttpServer, HttpServerResponse } from "@effect/platform"
import { Effect, Layer, Logger, ManagedRuntime } from "effect"
import { once } from "node:events"
import * as Http from "node:http"
import * as Https from "node:https"
import * as Net from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { describe, expect, it } from "vitest"
import { NodeHttpServer } from "../../../src/index.js"
import { quiesce } from "../../../src/promise.js"
import { certificate } from "../../support/certificate.js"
import { describeUnless } from "../../support/describeWith.js"
import { noIpv6 } from "../../support/ipv6.js"
import { portOf } from "../../support/nodeServer.js"
import { connect, type Target } from "../../support/rawClient.js"
import { waitFor } from "../../support/wait.js"
import { limit, onLeave } from "./sharedServer.js"

// Pins internal/node: handleOf, inheritedListen2, setHandle

// A shutdown that nobody awaits leaves its address at once to the next server of the same process, as stock servers do,
// and loses nothing of what the kernel has queued there.

const brief = { logger: false, idleGrace: 50, newConnectionGrace: 50, timeout: 15_000 } as const

const answering = (text: string) => Http.createServer((_, response) => response.end(text))

const ask = async (target: Target): Promise<string | undefined> => {
  const client = await connect(target)
  onLeave(client.leave)
  await client.write("GET / HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n")
  return (await client.untilResponses(1, limit)).responses[0]?.body.toString()
}

const listening = async <S extends Net.Server>(node: S, where: Net.ListenOptions): Promise<S> => {
  const heard = once(node, "listening")
  node.listen(where)
  await heard
  return node
}

const ended = (node: Net.Server) => onLeave(() => node.close())

/** Somebody whose answer keeps the first server draining. */
const slow = () => {
  let release = () => {}
  const node = Http.createServer((_, response) => {
    release = () => response.end("old")
  })
  return { node, release: () => release() }
}

interface Place {
  readonly first: Net.ListenOptions
  readonly next: Net.ListenOptions
  readonly host: string
}

const places: Readonly<Record<string, Place>> = {
  "an address": { first: { host: "127.0.0.1" }, next: { host: "127.0.0.1" }, host: "127.0.0.1" },
  "a name": { first: { host: "localhost" }, next: { host: "localhost" }, host: "localhost" },
  "all addresses": { first: {}, next: {}, host: "127.0.0.1" },
  "all of IPv4": { first: { host: "0.0.0.0" }, next: { host: "0.0.0.0" }, host: "127.0.0.1" },
  "all addresses, and then one": { first: {}, next: { host: "127.0.0.1" }, host: "127.0.0.1" },
  "one, and then all addresses": { first: { host: "127.0.0.1" }, next: {}, host: "127.0.0.1" },
  "all of IPv4, and then all": { first: { host: "0.0.0.0" }, next: {}, host: "127.0.0.1" }
}

const ofIpv6 = { first: { host: "::1" }, next: { host: "0:0:0:0:0:0:0:1" }, host: "::1" }

for (const [lameDuck, moment] of [[0, "a shutdown"], [300, "a lame duck"]] as const) {
  describe(`in the turn in which ${moment} begins`, () => {
    const again = (what: string, { first, host, next }: Place) =>
      it(`${what} can be listened on again`, async () => {
        const { node: old, release } = slow()
        await listening(old, { port: 0, ...first })
        const port = portOf(old)
        const server = quiesce(old, { ...brief, lameDuck })
        const pending = ask({ host, port })
        await once(old, "request")
        const shutdown = server.shutdown()
        const successor = await listening(answering("new"), { port, ...next })
        ended(successor)
        expect(old.listening).toBe(false)
        expect(await ask({ host, port })).toBe("new")
        release()
        expect(await pending).toBe("old")
        expect(await shutdown).toMatchObject({ outcome: "Drained", served: 1 })
        expect(await ask({ host, port })).toBe("new")
      })
    for (const [what, place] of Object.entries(places)) again(what, place)
    describeUnless(noIpv6, "with IPv6", () => {
      again("an address", ofIpv6)
    })

    it("a path can be listened on again", async () => {
      const path = join(tmpdir(), `quiesce-again-${process.pid}-${lameDuck}.sock`)
      const { node: old, release } = slow()
      await listening(old, { path })
      const server = quiesce(old, { ...brief, lameDuck })
      const pending = ask({ path })
      await once(old, "request")
      const shutdown = server.shutdown()
      ended(await listening(answering("new"), { path }))
      expect(await ask({ path })).toBe("new")
      release()
      expect(await pending).toBe("old")
      expect((await shutdown).outcome).toBe("Drained")
      expect(await ask({ path })).toBe("new")
    })
  })
}

it("the next server may speak TLS, and be closed and followed in its turn", async () => {
  const old = await listening(answering("plain"), { host: "127.0.0.1", port: 0 })
  const where = { host: "127.0.0.1", port: portOf(old) }
  void quiesce(old, brief).shutdown()
  const secure = Https.createServer({ ...certificate }, (_, response) => response.end("secure"))
  const next = quiesce(await listening(secure, where), brief)
  const body = await new Promise<string>((resolve, reject) =>
    void Https.get({ ...where, agent: false, ca: certificate.cert }, (response) => {
      response.on("data", (chunk: Buffer) => resolve(chunk.toString()))
    }).once("error", reject)
  )
  expect(body).toBe("secure")
  void next.shutdown()
  const last = await listening(answering("last"), where)
  ended(last)
  expect(await ask(where)).toBe("last")
  await next.closed
})

it("what a shutdown has not begun to leave is in use", async () => {
  const old = await listening(answering("old"), { host: "127.0.0.1", port: 0 })
  const other = await listening(answering("other"), { host: "127.0.0.1", port: 0 })
  const server = quiesce(old, brief)
  const shutdown = quiesce(other, brief).shutdown()
  const next = answering("new")
  const failed = once(next, "error")
  next.listen({ host: "127.0.0.1", port: portOf(old) })
  expect((await failed)[0]).toMatchObject({ code: "EADDRINUSE" })
  await Promise.all([shutdown, server.shutdown()])
})

it("a layer can be built anew while the one before it is disposed of, under load, and no request is lost", async () => {
  const free = await listening(answering(""), { host: "127.0.0.1", port: 0 })
  const where = { host: "127.0.0.1", port: portOf(free) }
  free.close()
  await once(free, "close")
  const runtime = (name: string) =>
    ManagedRuntime.make(
      HttpServer.serve(Effect.succeed(HttpServerResponse.text(name))).pipe(
        Layer.provideMerge(NodeHttpServer.layer(() => Http.createServer(), { ...where, idleGrace: 50 })),
        Layer.provide(Logger.remove(Logger.defaultLogger))
      )
    )
  let current = runtime("version 0")
  await current.runPromise(Effect.void)
  let stopped = false
  let answered = 0
  const lost: Array<unknown> = []
  const clients = Array.from({ length: 16 }, async () => {
    while (!stopped) {
      const body = await ask(where).catch((error: unknown) => void lost.push(error))
      if (body !== undefined) answered++
    }
  })
  const disposed: Array<Promise<void>> = []
  for (let version = 1; version <= 6; version++) {
    const before = answered
    await waitFor("answers", () => answered > before + 32, limit)
    disposed.push(current.dispose())
    current = runtime(`version ${version}`)
    await current.runPromise(Effect.void)
  }
  stopped = true
  await Promise.all(clients)
  await Promise.all([...disposed, current.dispose()])
  expect(lost).toEqual([])
})
