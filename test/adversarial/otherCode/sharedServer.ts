/**
 * Servers of every kind that Node makes, taken over by either API, with a client whose answer is under way.
 */
import { HttpServer, HttpServerResponse } from "@effect/platform"
import { Context, Effect, Exit, Layer, Logger, Scope, Stream } from "effect"
import * as Http from "node:http"
import * as Http2 from "node:http2"
import * as Https from "node:https"
import type * as Net from "node:net"
import { afterEach } from "vitest"
import { NodeHttpServer, Server, type Shutdown } from "../../../src/index.js"
import { type Options, quiesce } from "../../../src/promise.js"
import { certificate } from "../../support/certificate.js"
import { listenOnLoopback, portOf } from "../../support/nodeServer.js"
import { reportOf } from "../../support/running.js"
import { deferred, waitFor } from "../../support/wait.js"

export const limit = 18_000

const cleanups: Array<() => unknown> = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

export const onLeave = (cleanup: () => unknown): void => void cleanups.push(cleanup)

/** More than fits into the buffers of any kernel, so that its last byte waits for the client. */
const size = 4_000_000
const half = Buffer.alloc(size / 2, "x")

export const kinds = ["http", "https", "h2c", "h2"] as const
export type Kind = typeof kinds[number]
type NodeServer = Http.Server | Https.Server | Http2.Http2Server | Http2.Http2SecureServer

const nodeServer = (kind: Kind, listener?: (request: unknown, response: Http.ServerResponse) => void): NodeServer => {
  const heard = listener as Http.RequestListener | undefined
  const heard2 = listener as Parameters<typeof Http2.createServer>[1] | undefined
  switch (kind) {
    case "http":
      return heard === undefined ? Http.createServer() : Http.createServer(heard)
    case "https":
      return heard === undefined
        ? Https.createServer({ ...certificate })
        : Https.createServer({ ...certificate }, heard)
    case "h2c":
      return heard2 === undefined ? Http2.createServer() : Http2.createServer(heard2)
    case "h2":
      return heard2 === undefined
        ? Http2.createSecureServer({ ...certificate })
        : Http2.createSecureServer({ ...certificate }, heard2)
  }
}

export interface RunningServer {
  readonly node: NodeServer
  readonly sockets: Set<Net.Socket>
  readonly sessions: Set<Http2.ServerHttp2Session>
  readonly phase: () => Shutdown.Phase
  readonly shutdown: () => Promise<Shutdown.Report>
  readonly closed: Promise<Shutdown.Report>
  /** Lets answers end. */
  readonly finish: () => void
}

export const apis = ["promise", "adopt", "layer"] as const

/** A server that answers in two halves, the second one when it is told to. */
export const startServer = async (
  api: typeof apis[number],
  kind: Kind,
  policy: Shutdown.Policy = {},
  logger: Options["logger"] = false
): Promise<RunningServer> => {
  const finished = deferred()
  const brief = { timeout: 15_000, idleGrace: 50, newConnectionGrace: 50, ...policy }
  const node = nodeServer(
    kind,
    api === "layer" ? undefined : (_, response) => {
      response.writeHead(200, { "content-length": String(size) })
      response.write(half)
      void finished.promise.then(() => response.end(half))
    }
  )
  const sockets = new Set<Net.Socket>()
  const sessions = new Set<Http2.ServerHttp2Session>()
  // as a library does it that keeps a list
  node.on(kind === "http" || kind === "h2c" ? "connection" : "secureConnection", (socket: Net.Socket) => {
    sockets.add(socket)
  })
  node.on("session", (session: Http2.ServerHttp2Session) => {
    sessions.add(session)
    session.on("error", () => {})
  })
  const finish = () => finished.resolve()
  const made = api === "promise"
    ? await adopted(node, { logger, ...brief })
    : await effectServer(api, node, finished.promise, brief)
  onLeave(() => made.close())
  return { node, sockets, sessions, finish, ...made }
}

const adopted = async (node: NodeServer, options: Options) => {
  await listenOnLoopback(node)
  return quiesce(node, options)
}

const effectServer = async (
  api: "adopt" | "layer",
  node: NodeServer,
  finished: Promise<void>,
  policy: Shutdown.Policy
) => {
  const scope = Effect.runSync(Scope.make())
  if (api === "adopt") await listenOnLoopback(node)
  const second = Stream.fromEffect(Effect.promise(() => finished.then(() => new Uint8Array(half))))
  const body = Stream.concat(Stream.make(new Uint8Array(half)), second)
  const served = HttpServer.serve(Effect.succeed(HttpServerResponse.stream(body, { contentLength: size }))).pipe(
    Layer.provideMerge(NodeHttpServer.layer(() => node, { host: "127.0.0.1", port: 0, ...policy }))
  )
  const layer: Layer.Layer<Server.Server, unknown> = api === "adopt"
    ? Layer.scoped(Server.Server, Server.adopt(node, policy))
    : Layer.flatMap(served, (context) => Layer.succeedContext(Context.pick(Server.Server)(context)))
  const context = await Effect.runPromise(
    Layer.buildWithScope(Layer.provide(layer, Logger.remove(Logger.defaultLogger)), scope)
  )
  const server = Context.get(context, Server.Server)
  return {
    phase: () => Effect.runSync(server.phase.get),
    shutdown: () => Effect.runPromise(reportOf(server.shutdown)),
    closed: Effect.runPromise(reportOf(server.closed)),
    close: async () => {
      await Effect.runPromise(server.close)
      await Effect.runPromiseExit(Scope.close(scope, Exit.void))
    }
  }
}

export interface Reader {
  /** It reads on. */
  readonly go: () => void
  /** How many it has in the end. */
  readonly end: Promise<number>
  readonly leave: () => void
}

/** A client that has the beginning of its answer when this returns, and does not read on. */
export const startReader = async (kind: Kind, node: Net.Server): Promise<Reader> => {
  let received = 0
  let going = false
  let go = () => {}
  const ended = deferred<number>()
  const url = `${kind === "http" || kind === "h2c" ? "http" : "https"}://127.0.0.1:${portOf(node)}`
  const take = (stream: NodeJS.ReadableStream) => {
    stream.on("data", (chunk: Buffer) => {
      received += chunk.length
      if (!going) stream.pause()
    })
    go = () => {
      going = true
      stream.resume()
    }
    stream.once("close", () => ended.resolve(received))
    stream.once("error", () => ended.resolve(received))
  }
  let leave: () => void
  if (kind === "http" || kind === "https") {
    const request = (kind === "http" ? Http : Https).get(url, { agent: false, ca: certificate.cert }, take)
    request.on("error", () => ended.resolve(received))
    leave = () => void request.destroy()
  } else {
    const session = Http2.connect(url, { ca: certificate.cert })
    session.on("error", () => ended.resolve(received))
    const stream = session.request({ ":path": "/" })
    take(stream)
    stream.once("close", () => session.close())
    leave = () => session.destroy()
  }
  onLeave(leave)
  await waitFor("the beginning of the answer", () => received > 0, limit)
  return {
    go: () => go(),
    get end() {
      return waitFor("the end of the answer", ended.promise, limit)
    },
    leave
  }
}

export const answerSize = size

export const untilPhase = ({ phase }: RunningServer, ...phases: ReadonlyArray<Shutdown.Phase>) =>
  waitFor(`the phase ${phases.join(" or ")}`, () => phases.includes(phase()), limit)
