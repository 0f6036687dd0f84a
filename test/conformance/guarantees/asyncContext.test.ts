import { HttpServer, HttpServerRequest, HttpServerResponse, type Socket, SocketServer } from "@effect/platform"
import { Context, Effect, Exit, Fiber, Layer, Scope, Stream } from "effect"
import { AsyncLocalStorage } from "node:async_hooks"
import * as DiagnosticsChannel from "node:diagnostics_channel"
import { once } from "node:events"
import * as Http from "node:http"
import * as Http2 from "node:http2"
import * as Https from "node:https"
import * as Net from "node:net"
import { afterEach, describe, expect, it } from "vitest"
import { NodeHttpServer, NodeSocketServer, Server } from "../../../src/index.js"
import { quiesce } from "../../../src/promise.js"
import { certificate } from "../../support/certificate.js"
import { get } from "../../support/httpRequests.js"
import { listenOnLoopback, portOf } from "../../support/nodeServer.js"
import { connect, type Target } from "../../support/rawClient.js"
import { targetOf } from "../../support/running.js"
import { deferred, waitFor } from "../../support/wait.js"

// What the server defers runs in the asynchronous context of its own request, hook or reader; not in that of the request
// before it, of the caller of the shutdown, or of whoever makes the server ready.

const limit = 10_000

const user = new AsyncLocalStorage<string>()

const cleanups: Array<() => unknown> = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

/** As tracing does it: Node says that a request has come, and its context is entered before any listener hears of it. */
const enterAtArrival = () => {
  const enter = (message: unknown) => {
    const { request } = message as { readonly request: Http.IncomingMessage }
    user.enterWith(`user of ${request.url}`)
  }
  DiagnosticsChannel.subscribe("http.server.request.start", enter)
  cleanups.push(() => DiagnosticsChannel.unsubscribe("http.server.request.start", enter))
}

const client = async (target: Target) => {
  const raw = await connect(target)
  cleanups.push(raw.leave)
  return raw
}

/** So many that a shutdown holds what arrives while the listener closes. */
const busy = 16

/** Clients of a server that has just accepted so many that it holds what they send next. */
const clients = async (node: Net.Server) => {
  let accepted = 0
  node.on("connection", () => accepted++)
  const all = await Promise.all(Array.from({ length: busy }, () => client({ port: portOf(node) })))
  await waitFor("the connections", () => accepted === busy, limit)
  return all
}

const brief = { logger: false, newConnectionGrace: 100, idleGrace: 100 } as const

const paths = ["/a", "/b", "/c", "/d"]

describe("requests that are held while the listener closes", () => {
  it("run in the context that they arrived in", async () => {
    enterAtArrival()
    const seen: Array<readonly [string | undefined, string | undefined]> = []
    const node = await listenOnLoopback(Http.createServer((request, response) => {
      seen.push([request.url, user.getStore()])
      response.end()
    }))
    const server = quiesce(node, brief)
    const all = await clients(node)
    const done = server.shutdown()
    paths.forEach((path, index) => void all[index]?.write(get(path)))
    await done
    expect(new Map(seen)).toEqual(new Map(paths.map((path) => [path, `user of ${path}`])))
  })

  for (const event of ["request", "checkContinue", "checkExpectation"]) {
    it(`do not run in the context that the one before them has entered (${event})`, async () => {
      const seen: Array<unknown> = []
      const node = await listenOnLoopback(Http.createServer())
      node.on(event, (request: Http.IncomingMessage, response: Http.ServerResponse) => {
        seen.push(user.getStore())
        user.enterWith(request.url ?? "")
        response.end()
      })
      const server = quiesce(node, brief)
      const all = await clients(node)
      const done = server.shutdown()
      const expects = event === "request" ? [] : [`Expect: ${event === "checkContinue" ? "100-continue" : "a cake"}`]
      paths.forEach((path, index) => void all[index]?.write(get(path, ...expects)))
      await done
      expect(seen).toEqual(paths.map(() => undefined))
    })
  }

  it("do not with TLS either", async () => {
    const seen: Array<unknown> = []
    const node = await listenOnLoopback(Https.createServer({ ...certificate }, (request, response) => {
      seen.push(user.getStore())
      // what comes on the same connection later is in the context that it has entered, as with Node
      if (request.url?.startsWith("/warm") !== true) user.enterWith(request.url ?? "")
      response.end()
    }))
    const server = quiesce(node, brief)
    const agent = new Https.Agent({ keepAlive: true })
    cleanups.push(() => agent.destroy())
    const ask = (path: string) =>
      new Promise<void>((resolve, reject) =>
        void Https.get(
          { agent, host: "127.0.0.1", port: portOf(node), path, ca: certificate.cert },
          (response) => response.resume().once("end", resolve)
        ).once("error", reject)
      )
    await Promise.all(Array.from({ length: busy }, (_, index) => ask(`/warm/${index}`)))
    seen.length = 0
    const done = server.shutdown()
    await Promise.all([...paths.map(ask), done])
    expect(seen).toEqual(paths.map(() => undefined))
  })

  it("do not with HTTP/2 either, whether they come on one session or on several", async () => {
    const seen: Array<unknown> = []
    const node = await listenOnLoopback(Http2.createServer((request, response) => {
      seen.push(user.getStore())
      user.enterWith(request.url)
      response.end()
    }))
    const server = quiesce(node, brief)
    const sessions = await Promise.all(Array.from({ length: busy }, async () => {
      const session = Http2.connect(`http://127.0.0.1:${portOf(node)}`)
      cleanups.push(() => session.destroy())
      await once(session, "remoteSettings")
      return session
    }))
    const done = server.shutdown()
    await Promise.all(
      paths.flatMap((path, index) =>
        [path, `${path}/again`].map((each) => once(sessions[index]!.request({ ":path": each }).resume(), "end"))
      )
    )
    await done
    expect(seen).toEqual(Array.from({ length: 2 * paths.length }, () => undefined))
  })
})

const effectApp = async () => {
  const node = Http.createServer()
  const seen: Array<unknown> = []
  const scope = Effect.runSync(Scope.make())
  cleanups.push(() => Effect.runPromise(Scope.close(scope, Exit.void)))
  const context = await Effect.runPromise(
    Layer.buildWithScope(
      NodeHttpServer.layer(() => node, { host: "127.0.0.1", port: 0, idleGrace: 0, newConnectionGrace: 0 }),
      scope
    )
  )
  const app = Effect.map(HttpServerRequest.HttpServerRequest, (request) => {
    seen.push([request.url, user.getStore()])
    user.enterWith("another one's")
    return HttpServerResponse.text("ok")
  })
  const serve = Context.get(context, HttpServer.HttpServer).serve(app)
  return {
    node,
    seen,
    context,
    serve: () => user.run("who serves", () => Effect.runPromise(Scope.extend(serve, scope)))
  }
}

describe("what waits", () => {
  it("for an app to be attached is a request in the context that it arrived in", async () => {
    enterAtArrival()
    const { context, node, seen, serve } = await effectApp()
    for (const path of paths) {
      const arrives = once(node, "connection")
      await (await client({ port: portOf(node) })).write(get(path))
      await arrives
    }
    const { connections } = Context.get(context, Server.Server)
    await waitFor("the requests", () => Effect.runSync(connections).every(({ state }) => state === "Active"), limit)
    await serve()
    await waitFor("the answers", () => seen.length === paths.length, limit)
    expect(seen).toEqual(paths.map((path) => [path, `user of ${path}`]))
  })

  it("for an app to be attached is an upgrade in the context that it arrived in", async () => {
    enterAtArrival()
    const { node, seen, serve } = await effectApp()
    const arrived: Array<unknown> = []
    node.prependListener("upgrade", ({ url }: Http.IncomingMessage) => arrived.push(url))
    for (const path of paths.slice(0, 2)) {
      const raw = await client({ port: portOf(node) })
      await raw.write(get(path, "Connection: Upgrade", "Upgrade: websocket"))
      await waitFor("the upgrade", () => arrived.includes(path), limit)
    }
    await serve()
    await waitFor("the answers", () => seen.length === 2, limit)
    expect(seen.map((each) => (each as ReadonlyArray<unknown>)[1])).not.toContain("who serves")
    expect(seen.map((each) => (each as ReadonlyArray<unknown>)[1])).not.toContain("another one's")
  })

  it("for a handler of sockets is a connection in the context that it was accepted in", async () => {
    const seen: Array<unknown> = []
    const scope = Effect.runSync(Scope.make())
    cleanups.push(() => Effect.runPromise(Scope.close(scope, Exit.void)))
    const context = await Effect.runPromise(
      Layer.buildWithScope(NodeSocketServer.layer({ host: "127.0.0.1", port: 0, timeout: 100 }), scope)
    )
    const sockets = Context.get(context, SocketServer.SocketServer)
    const server = Context.get(context, Server.Server)
    await client(targetOf(sockets.address))
    await client(targetOf(sockets.address))
    await waitFor("the connections", () => Effect.runSync(server.connections).length === 2, limit)
    const handler = (_: Socket.Socket) =>
      Effect.sync(() => {
        seen.push(user.getStore())
        user.enterWith("another one's")
      })
    const fiber = user.run("who runs", () => Effect.runFork(sockets.run(handler)))
    await waitFor("the handlers", () => seen.length === 2, limit)
    expect(seen).toEqual([undefined, undefined])
    await Effect.runPromise(Fiber.interrupt(fiber))
  })
})

describe("what a shutdown runs", () => {
  it("runs in the context that it was registered in, and not in that of the request that shuts the server down", async () => {
    const seen: Record<string, unknown> = {}
    const see = (name: string) => () => {
      seen[name] = user.getStore()
    }
    const node = await listenOnLoopback(Http.createServer((_, response) => {
      user.enterWith("the operator")
      void server.shutdown()
      response.end()
    }))
    const server = user.run("the program", () =>
      quiesce(node, {
        logger: see("logger"),
        onShutdown: see("onShutdown"),
        finally: see("finally")
      }))
    user.run("a module", () => server.onShutdown("leave", see("hook")))
    user.run("a listener", () => server.signal.addEventListener("abort", see("signal")))
    await (await client({ port: portOf(node) })).write(get("/stop"))
    await server.closed
    expect(seen).toEqual({
      logger: "the program",
      onShutdown: "the program",
      finally: "the program",
      hook: "a module",
      signal: "the program"
    })
  })

  it("does so in the Effect API as well, and what reads the events of the server goes on in its own", async () => {
    const seen: Record<string, unknown> = {}
    const see = (name: string) =>
      Effect.sync(() => {
        seen[name] = user.getStore()
      })
    const scope = Effect.runSync(Scope.make())
    const server = await user.run("the program", () => Effect.runPromise(Scope.extend(Server.make(), scope)))
    await user.run(
      "a module",
      () => Effect.runPromise(Scope.extend(server.onShutdown("leave", see("hook")), scope))
    )
    const reading = deferred()
    user.run(
      "the reader",
      () =>
        void Effect.runPromise(Stream.runForEach(Stream.tap(server.events, () => see("events")), () => Effect.void))
          .then(reading.resolve)
    )
    await user.run("the operator", () => Effect.runPromise(server.shutdown))
    await waitFor("the end of the events", reading.promise, limit)
    expect(seen).toEqual({ hook: "a module", events: "the reader" })
    await Effect.runPromise(Scope.close(scope, Exit.void))
  })
})
