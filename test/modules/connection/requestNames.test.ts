import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import { describe, expect, it as effectIt } from "@effect/vitest"
import * as Effect from "effect/Effect"
import express from "express"
import { fastify } from "fastify"
import Koa from "koa"
import * as Http from "node:http"
import * as Http2 from "node:http2"
import type * as Net from "node:net"
import { it } from "vitest"
import { Connection } from "../../../src/index.js"
import { quiesce, type Target } from "../../../src/promise.js"
import * as HttpRouter from "../../support/effect/httpRouter.js"
import { listenOnLoopback, portOf } from "../../support/nodeServer.js"
import { connect, withClient } from "../../support/rawClient.js"
import { client, get, limit, responses, send, serving } from "../../support/running.js"
import { waitFor } from "../../support/wait.js"

// What a request is called in connections, log and report is what its client has asked for, whatever a router rewrites.

/** Cuts a request that is never answered, and returns what it was called before and after. */
const namesOf = async (
  target: Target,
  node: Net.Server,
  ask: (port: number) => Promise<() => void>,
  reached: () => boolean
) => {
  const lines: Array<string> = []
  const server = quiesce(target, { timeout: 50, killTimeout: 10, logger: (_, line) => void lines.push(line) })
  if (!node.listening) await listenOnLoopback(node)
  const leave = await ask(portOf(node))
  await waitFor("the request to reach its handler", reached, limit)
  const serves = server.connections().flatMap(({ inFlight }) => inFlight.map(({ method, path }) => `${method} ${path}`))
  const { cut } = await server.shutdown()
  leave()
  return { serves, cut: cut.map(({ method, path }) => `${method} ${path}`), lines }
}

const raw = (text: string) => async (port: number) => {
  const client = await connect({ port })
  await client.write(text)
  return client.leave
}

const post = "POST /api/v1/orders/42/pay?at=once HTTP/1.1\r\nHost: test\r\nContent-Length: 0\r\n\r\n"
const name = "POST /api/v1/orders/42/pay?at=once"

const expectName = ({ cut, lines, serves }: Awaited<ReturnType<typeof namesOf>>) => {
  expect({ serves, cut }).toEqual({ serves: [name], cut: [name] })
  expect(lines.join("\n")).toContain(name)
}

describe("the name of a request is the one at its arrival", () => {
  it("behind express's mounted routers and apps", async () => {
    let reached = false
    const orders = express.Router().post("/:id/pay", () => {
      reached = true
    })
    const mounted = express().use("/orders", orders)
    const app = express().use("/api", express.Router().use("/v1", mounted))
    const node = Http.createServer(app)
    expectName(await namesOf(node, node, raw(post), () => reached))
  })

  it("behind koa, where the path and the method are rewritten, as koa-mount and method-override do", async () => {
    let reached = false
    const app = new Koa().use(async (context) => {
      context.path = "/orders"
      context.method = "DELETE"
      reached = true
      context.respond = false
    })
    const answer = app.callback()
    const node = Http.createServer((request, response) => void answer(request, response))
    expectName(await namesOf(node, node, raw(post), () => reached))
  })

  it("behind fastify's rewriteUrl", async () => {
    let reached = false
    const app = fastify({ rewriteUrl: () => "/elsewhere" })
    app.post("/elsewhere", () => {
      reached = true
      return new Promise(() => {})
    })
    await app.ready()
    expectName(await namesOf(app, app.server, raw(post), () => reached))
  })

  it("behind a listener that rewrites without a trace", async () => {
    let reached = false
    const node = Http.createServer((request) => {
      request.url = "/elsewhere"
      request.method = "PATCH"
      reached = true
    })
    expectName(await namesOf(node, node, raw(post), () => reached))
  })

  it("over HTTP/2", async () => {
    let reached = false
    const node = Http2.createServer((request) => {
      request.url = "/elsewhere"
      reached = true
    })
    const ask = async (port: number) => {
      const session = Http2.connect(`http://127.0.0.1:${port}`).on("error", () => {})
      session.request({ ":method": "POST", ":path": "/api/v1/orders/42/pay?at=once" }).on("error", () => {}).end()
      return () => session.destroy()
    }
    expectName(await namesOf(node, node, ask, () => reached))
  })

  it("of one that was under way when its server was taken over, where express has kept it", async () => {
    let reached = false
    const orders = express.Router().post("/:id/pay", () => {
      reached = true
    })
    const node = Http.createServer(express().use("/api/v1/orders", orders))
    await listenOnLoopback(node)
    await withClient({ port: portOf(node) }, async (client) => {
      await client.write(post)
      await waitFor("the request to reach its handler", () => reached, limit)
      expectName(await namesOf(node, node, async () => () => {}, () => true))
    })
  })

  effectIt.scoped("in an Effect app with mounted routers", () =>
    Effect.gen(function*() {
      const own = Effect.flatMap(Connection.current, ({ inFlight }) => HttpServerResponse.json(inFlight))
      const orders = HttpRouter.empty.pipe(HttpRouter.get("/:id", own))
      const running = yield* serving(HttpRouter.empty.pipe(HttpRouter.mount("/api/orders", orders)))
      const one = yield* client(running.target)
      yield* send(one, get("/api/orders/42?a=1"))
      const [response] = yield* responses(one, 1)
      expect(JSON.parse(String(response?.body))).toMatchObject([{ method: "GET", path: "/api/orders/42?a=1" }])
    }))
})
