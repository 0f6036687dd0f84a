/**
 * The same routes in each framework, on a Node server for each wire.
 *
 * - `GET /`: at once
 * - `GET /slow?ms=`: after that time, or when the test says so
 * - `GET /stream`: lines without an end
 * - `POST /body`: what was sent
 */
import { HttpServerRequest, HttpServerResponse } from "@effect/platform"
import { createAdaptorServer } from "@hono/node-server"
import { Effect, Stream } from "effect"
import express from "express"
import { fastify, type FastifyInstance } from "fastify"
import { Hono } from "hono"
import Koa from "koa"
import type * as Http from "node:http"
import * as Http2 from "node:http2"
import * as Https from "node:https"
import { pipeline, Readable } from "node:stream"
import { certificate } from "../../support/certificate.js"
import * as HttpRouter from "../../support/effect/httpRouter.js"
import { createServer, type Wire } from "./wires.js"
import { readAll, ticking, ticks, type Work } from "./work.js"

export type NodeServer = Http.Server | Https.Server | Http2.Http2Server | Http2.Http2SecureServer

export interface Framework {
  readonly name: string
  /** Why it cannot speak a wire; those that are not here it speaks. */
  readonly cannot: { readonly [W in Wire]?: string }
  /** A Node server with the app in it, and what starts it where that is not `server.listen`. */
  readonly make: (wire: Wire, work: Work) => Made
}

export interface Made {
  readonly node: NodeServer
  /** Where the framework listens itself. */
  readonly listen?: (port: number) => Promise<unknown>
}

type Request = Http.IncomingMessage | Http2.Http2ServerRequest
type Response = Http.ServerResponse | Http2.Http2ServerResponse

const plainNode: Framework = {
  name: "plain Node",
  cannot: {},
  make: (wire, work) => {
    const answer = async (request: Request, response: Response & NodeJS.WritableStream) => {
      const url = request.url ?? ""
      work.ran(url)
      if (url.startsWith("/slow")) response.end(await work.slow(url))
      else if (url.startsWith("/stream")) pipeline(ticking(), response, () => {})
      else if (url.startsWith("/body")) response.end(await readAll(request))
      else response.end("hello")
    }
    return {
      node: createServer(wire).on("request", (request, response) => void answer(request, response))
    }
  }
}

const expressApp: Framework = {
  name: "express",
  cannot: {
    h2c: "express puts Node's prototypes for HTTP/1.1 under requests and responses",
    h2: "express puts Node's prototypes for HTTP/1.1 under requests and responses"
  },
  make: (wire, work) => {
    const app = express()
    app.use((request, _, next) => {
      work.ran(request.url)
      next()
    })
    app.get("/", (_, response) => void response.send("hello"))
    app.get("/slow", (request, response, next) => {
      work.slow(request.url).then((text) => response.send(text), next)
    })
    app.get("/stream", (_, response) => void pipeline(ticking(), response, () => {}))
    app.post("/body", express.raw({ type: () => true, limit: "10mb" }), (request, response) => {
      response.send(request.body)
    })
    return { node: createServer(wire).on("request", app) }
  }
}

const fastifyApp: Framework = {
  name: "fastify",
  cannot: {},
  make: (wire, work) => {
    switch (wire) {
      case "HTTP/1.1":
        return withRoutes(fastify(), work)
      case "HTTPS":
        return withRoutes(fastify({ https: certificate }), work)
      case "h2c":
        return withRoutes(fastify({ http2: true }), work)
      case "h2":
        return withRoutes(fastify({ http2: true, https: certificate }), work)
      case "1.1 at h2":
        return withRoutes(fastify({ http2: true, https: { ...certificate, allowHTTP1: true } }), work)
    }
  }
}

const withRoutes = <S extends NodeServer>(app: FastifyInstance<S>, work: Work): Made => {
  app.addHook("onRequest", async (request) => work.ran(request.url))
  app.addContentTypeParser("*", { parseAs: "buffer", bodyLimit: 10_000_000 }, (_request, body, done) => {
    done(null, body)
  })
  app.get("/", () => "hello")
  app.get("/slow", (request) => work.slow(request.url))
  app.get("/stream", (_, reply) => reply.send(ticking()))
  app.post("/body", (request, reply) => reply.send(request.body))
  return { node: app.server, listen: (port) => app.listen({ host: "127.0.0.1", port }) }
}

const hono: Framework = {
  name: "hono",
  cannot: {},
  make: (wire, work) => {
    const app = new Hono()
    app.use(async (context, next) => {
      work.ran(context.req.url)
      await next()
    })
    app.get("/", (context) => context.text("hello"))
    app.get("/slow", async (context) => context.text(await work.slow(context.req.url)))
    app.get("/stream", () => new Response(Readable.toWeb(ticking()) as ReadableStream))
    app.post("/body", async (context) => context.body(await context.req.arrayBuffer()))
    const { fetch } = app
    switch (wire) {
      case "HTTP/1.1":
        return { node: createAdaptorServer({ fetch }) }
      case "HTTPS":
        return { node: createAdaptorServer({ fetch, createServer: Https.createServer, serverOptions: certificate }) }
      case "h2c":
        return { node: createAdaptorServer({ fetch, createServer: Http2.createServer }) }
      case "h2":
      case "1.1 at h2":
        return {
          node: createAdaptorServer({
            fetch,
            createServer: Http2.createSecureServer,
            serverOptions: { ...certificate, allowHTTP1: wire !== "h2" }
          })
        }
    }
  }
}

const koa: Framework = {
  name: "koa",
  cannot: {},
  make: (wire, work) => {
    const app = new Koa()
    // it says on stderr what its clients' leaving interrupted
    app.silent = true
    app.use(async (context) => {
      work.ran(context.url)
      if (context.path === "/slow") context.body = await work.slow(context.url)
      else if (context.path === "/stream") context.body = ticking()
      else if (context.path === "/body") context.body = await readAll(context.req)
      else context.body = "hello"
    })
    const answer = app.callback()
    return { node: createServer(wire).on("request", (request, response) => void answer(request, response)) }
  }
}

/** The frameworks whose server we adopt. */
export const adopted: ReadonlyArray<Framework> = [plainNode, expressApp, fastifyApp, hono, koa]

/** An Effect app of the same routes, for `NodeHttpServer`. */
export const effectApp = (work: Work) => {
  const running = Effect.tap(
    HttpServerRequest.HttpServerRequest,
    (request) => Effect.sync(() => work.ran(request.originalUrl))
  )
  const slow = Effect.flatMap(running, (request) => Effect.promise(() => work.slow(request.originalUrl)))
  return HttpRouter.empty.pipe(
    HttpRouter.get("/", Effect.as(running, HttpServerResponse.text("hello"))),
    HttpRouter.get("/slow", Effect.map(slow, (text) => HttpServerResponse.text(text))),
    HttpRouter.get(
      "/stream",
      Effect.as(
        running,
        HttpServerResponse.stream(
          Stream.fromAsyncIterable({ [Symbol.asyncIterator]: ticks }, (error) => error)
        )
      )
    ),
    HttpRouter.post(
      "/body",
      Effect.map(
        Effect.flatMap(running, (request) => request.arrayBuffer),
        (body) => HttpServerResponse.uint8Array(new Uint8Array(body))
      )
    )
  )
}
