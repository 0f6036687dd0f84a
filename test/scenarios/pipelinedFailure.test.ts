import * as HttpServer from "@effect/platform/HttpServer"
import * as HttpServerRequest from "@effect/platform/HttpServerRequest"
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import { once } from "node:events"
import * as Http from "node:http"
import * as Https from "node:https"
import * as Net from "node:net"
import { PassThrough } from "node:stream"
import * as Tls from "node:tls"
import { describe, expect, it } from "vitest"
import { NodeHttpServer, Server, type Shutdown } from "../../src/index.js"
import { quiesce } from "../../src/promise.js"
import { certificate } from "../support/certificate.js"
import { portOf } from "../support/nodeServer.js"
import { get, reportOf, silent } from "../support/running.js"
import { type Deferred, deferred, waitFor } from "../support/wait.js"

// A handler fails midway, and with it its connection: what is pipelined before it is answered, what is behind it never
// can be, and nobody waits for that.

const limit = 10_000

/** A drain that waits in vain takes all of it, and says so. */
const policy = { timeout: 2000, killTimeout: 500 } as const

/** `/waits` answers half, and the rest when it is released; `/fails`, `/silent` and `/body` break off when they are told. */
class Work {
  readonly executed: Array<string> = []
  readonly #released = new Map<string, Deferred<void>>()

  released(path: string): Promise<void> {
    return this.#of(path).promise
  }

  release(path: string): void {
    this.#of(path).resolve()
  }

  #of(path: string): Deferred<void> {
    const known = this.#released.get(path)
    if (known !== undefined) return known
    const made = deferred()
    this.#released.set(path, made)
    return made
  }

  readonly handler = (request: Http.IncomingMessage, response: Http.ServerResponse): void => {
    const path = request.url ?? ""
    this.executed.push(path)
    switch (path) {
      case "/waits":
        response.writeHead(200)
        response.write("first ")
        return void this.released(path).then(() => response.end("last"))
      case "/fails":
      case "/body":
        response.writeHead(200)
        response.write("broken ")
        return void this.released(path).then(() => response.destroy())
      case "/silent":
        return void this.released(path).then(() => response.destroy())
      default:
        return void response.end(path)
    }
  }

  readonly app = Effect.map(HttpServerRequest.HttpServerRequest, ({ url: path }) => {
    this.executed.push(path)
    if (path !== "/waits" && path !== "/fails") return HttpServerResponse.text(path)
    const body = new PassThrough()
    body.write(path === "/waits" ? "first " : "broken ")
    void this.released(path).then(() => path === "/waits" ? body.end("last") : body.destroy(new Error("broken off")))
    return HttpServerResponse.raw(body)
  })
}

interface Started {
  readonly port: number
  readonly shutdown: () => Promise<Shutdown.Report>
  readonly close: () => Promise<unknown>
}

type Wire = "http" | "https"
type Start = (wire: Wire, work: Work) => Promise<Started>

const createServer = (wire: Wire, handler?: Http.RequestListener): Http.Server =>
  wire === "http" ? Http.createServer(handler) : Https.createServer(certificate, handler)

const onLoopback = { host: "127.0.0.1", port: 0 }

const run = <A, E>(effect: Effect.Effect<A, E>) => Effect.runPromise(Effect.provide(effect, silent))

const withPromises: Start = async (wire, work) => {
  const node = createServer(wire, work.handler)
  await once(node.listen(onLoopback), "listening")
  const server = quiesce(node, { ...policy, logger: false })
  return { port: portOf(node), shutdown: () => server.shutdown(), close: () => server.close() }
}

const withListeners: Start = async (wire, work) => {
  const node = createServer(wire, work.handler)
  const scope = await run(Scope.make())
  const server = await run(Scope.extend(Server.make(policy), scope))
  await run(Scope.extend(server.listen(() => node, onLoopback), scope))
  return {
    port: portOf(node),
    shutdown: () => run(reportOf(server.shutdown)),
    close: () => run(Effect.exit(Effect.zipRight(server.close, Scope.close(scope, Exit.void))))
  }
}

const withApp: Start = async (wire, work) => {
  const node = createServer(wire)
  const scope = await run(Scope.make())
  const layer = HttpServer.serve(work.app).pipe(
    Layer.provideMerge(NodeHttpServer.layer(() => node, { ...onLoopback, ...policy }))
  )
  const server = Context.get(await run(Layer.buildWithScope(layer, scope)), Server.Server)
  return {
    port: portOf(node),
    shutdown: () => run(reportOf(server.shutdown)),
    close: () => run(Effect.exit(Effect.zipRight(server.close, Scope.close(scope, Exit.void))))
  }
}

interface Client {
  readonly socket: Net.Socket
  readonly text: () => string
  readonly untilText: (text: string) => Promise<unknown>
  /** The server has closed it, or reset it. */
  readonly untilClosed: () => Promise<unknown>
}

const connect = async (wire: Wire, port: number): Promise<Client> => {
  const socket = wire === "http"
    ? Net.connect(port, "127.0.0.1")
    : Tls.connect({ host: "127.0.0.1", port, ca: certificate.cert })
  let text = ""
  let closed = false
  socket.on("data", (chunk: Buffer) => void (text += chunk.toString()))
  // a connection that takes requests with it that nobody has read is reset
  socket.on("error", () => {})
  socket.on("close", () => void (closed = true))
  await once(socket, wire === "http" ? "connect" : "secureConnect")
  return {
    socket,
    text: () => text,
    untilText: (wanted) => waitFor(() => `${wanted} in ${text}`, () => text.includes(wanted), limit),
    untilClosed: () => waitFor("the end of the connection", () => closed, limit)
  }
}

const using = async (
  start: Start,
  wire: Wire,
  use: (started: Started, client: Client, work: Work) => Promise<void>
): Promise<void> => {
  const work = new Work()
  const started = await start(wire, work)
  const client = await connect(wire, started.port)
  try {
    await use(started, client, work)
  } finally {
    client.socket.destroy()
    await started.close()
  }
}

const executed = (work: Work, ...paths: ReadonlyArray<string>) =>
  waitFor(() => `${paths.join()}, not ${work.executed.join()}`, () => paths.join() === work.executed.join(), limit)

const withBody = "POST /body HTTP/1.1\r\nHost: test\r\nContent-Length: 10\r\n\r\nhalf"
const drained = { outcome: "Drained", cut: [], forceClosed: [], handlers: { interrupted: 0, abandoned: 0 } }

const starts: Record<string, Start> = {
  "quiesce/promise": withPromises,
  "Server.listen": withListeners,
  "an Effect app": withApp
}

for (const [api, start] of Object.entries(starts)) {
  for (const wire of ["http", "https"] as const) {
    describe.concurrent(`${api}, ${wire}: of pipelined requests,`, () => {
      const failures = start === withApp ? ["/fails"] : ["/fails", "/silent"]
      for (const path of failures) {
        it(`the second fails before its turn (${path}): a drain waits for the first, and not for those behind it`, () =>
          using(start, wire, async ({ shutdown }, client, work) => {
            client.socket.write(get("/waits") + get(path) + get("/behind"))
            await executed(work, "/waits", path, "/behind")
            await client.untilText("first ")
            work.release(path)
            const report = shutdown()
            await new Promise((resolve) => setImmediate(resolve))
            work.release("/waits")
            await client.untilClosed()
            expect(await report).toMatchObject({ ...drained, served: 1 })
            expect(client.text()).toContain("last")
            expect(client.text()).not.toContain("broken")
          }))

        it(`the second fails before its turn (${path}), and more come: their connection ends when its turn has come`, () =>
          using(start, wire, async ({ shutdown }, client, work) => {
            client.socket.write(get("/waits") + get(path))
            await executed(work, "/waits", path)
            await client.untilText("first ")
            work.release(path)
            await new Promise((resolve) => setImmediate(resolve))
            client.socket.write(get("/behind"))
            await new Promise((resolve) => setImmediate(resolve))
            work.release("/waits")
            // while the server serves: nobody waits for a shutdown
            await client.untilClosed()
            expect(client.text()).toContain("last")
            expect(client.text()).not.toContain("/behind")
            expect(await shutdown()).toMatchObject({ ...drained, connections: { open: 0 } })
          }))
      }

      it("the second fails while the server drains: those before it are answered, and the drain ends", () =>
        using(start, wire, async ({ shutdown }, client, work) => {
          client.socket.write(get("/waits") + get("/fails") + get("/behind"))
          await executed(work, "/waits", "/fails", "/behind")
          await client.untilText("first ")
          const report = shutdown()
          await new Promise((resolve) => setImmediate(resolve))
          work.release("/fails")
          await new Promise((resolve) => setImmediate(resolve))
          work.release("/waits")
          await client.untilClosed()
          expect(await report).toMatchObject({ ...drained, served: 1 })
          expect(client.text()).toContain("last")
        }))

      it("the first fails: those behind it are lost with their connection, and the drain ends", () =>
        using(start, wire, async ({ shutdown }, client, work) => {
          client.socket.write(get("/fails") + get("/waits") + get("/behind"))
          await executed(work, "/fails", "/waits", "/behind")
          await client.untilText("broken ")
          const report = shutdown()
          work.release("/fails")
          await client.untilClosed()
          work.release("/waits")
          expect(await report).toMatchObject({ ...drained, served: 0 })
        }))

      it("the last fails: those before it are answered, and the drain ends", () =>
        using(start, wire, async ({ shutdown }, client, work) => {
          client.socket.write(get("/waits") + get("/behind") + get("/fails"))
          await executed(work, "/waits", "/behind", "/fails")
          await client.untilText("first ")
          work.release("/fails")
          const report = shutdown()
          await new Promise((resolve) => setImmediate(resolve))
          work.release("/waits")
          await client.untilClosed()
          expect(await report).toMatchObject({ ...drained, served: 2 })
          expect(client.text()).toContain("/behind")
        }))

      if (start === withApp) return
      it("the second fails, and its body never is complete: a drain waits for the first", () =>
        using(start, wire, async ({ shutdown }, client, work) => {
          client.socket.write(get("/waits") + withBody)
          await executed(work, "/waits", "/body")
          await client.untilText("first ")
          work.release("/body")
          const report = shutdown()
          await new Promise((resolve) => setImmediate(resolve))
          work.release("/waits")
          await client.untilClosed()
          expect(await report).toMatchObject({ ...drained, served: 1 })
          expect(client.text()).toContain("last")
        }))
    })
  }
}

describe("requests that are pipelined", () => {
  it("hear once that their responses have closed, when their client leaves", async () => {
    const closes: Array<string> = []
    const node = Http.createServer((request, response) => {
      response.on("close", () => closes.push(request.url ?? ""))
    })
    await once(node.listen(onLoopback), "listening")
    const server = quiesce(node, { ...policy, logger: false })
    const client = await connect("http", portOf(node))
    client.socket.write(get("/1") + get("/2") + get("/3"))
    await waitFor("three requests", () => server.connections()[0]?.inFlight.length === 3, limit)
    client.socket.resetAndDestroy()
    await waitFor(() => `three that are closed, not ${closes.join()}`, () => closes.length >= 3, limit)
    await server.shutdown()
    expect(closes.sort()).toEqual(["/1", "/2", "/3"])
  })
})
