/**
 * A server of RPC over each protocol that it speaks, and real clients for it.
 */
import { FetchHttpClient, HttpClient, HttpServer, SocketServer } from "@effect/platform"
import { NodeSocket } from "@effect/platform-node"
import { Rpc, RpcClient, RpcGroup, RpcSerialization, RpcServer } from "@effect/rpc"
import { Context, Effect, Layer, Schema, type Scope, Stream } from "effect"
import { once } from "node:events"
import { createServer } from "node:http"
import * as Net from "node:net"
import { WebSocket } from "ws"
import { NodeHttpServer, NodeSocketServer, Server, type Shutdown } from "../../../src/index.js"
import { withDrain } from "../../../src/rpc.js"
import { served, servedBeside } from "../../support/routed.js"
import { launch, real, type Running, targetOf, until } from "../../support/running.js"
import { deferred } from "../../support/wait.js"

export class Work extends RpcGroup.make(
  Rpc.make("Quick", { payload: { id: Schema.String }, success: Schema.String }),
  Rpc.make("Slow", { payload: { id: Schema.String }, success: Schema.String }),
  /** Ends when the test says so. */
  Rpc.make("Gated", { payload: { id: Schema.String }, success: Schema.String }),
  /** The same, and nothing interrupts it. */
  Rpc.make("Steadfast", { payload: { id: Schema.String }, success: Schema.String }),
  Rpc.make("Endless", { success: Schema.Number, stream: true }),
  /** The same, which ends itself when a shutdown begins. */
  Rpc.make("Polite", { success: Schema.Number, stream: true })
) {}

/** What the handlers use, and must find open until the last of them has ended. */
class Pool extends Context.Tag("test/Pool")<Pool, { open: boolean }>() {}

/** What the handlers did, and what lets those go on that wait. */
export class Backend {
  readonly begun: Array<string> = []
  readonly executed: Array<string> = []
  readonly interrupted: Array<string> = []
  /** What a handler found of its pool when it ended, in whatever way. */
  readonly foundClosed: Array<string> = []
  readonly gate = deferred()
  readonly steadfastGate = deferred()

  readonly layer = layerOf(this)
}

const layerOf = (backend: Backend) =>
  Layer.provide(
    Work.toLayer(Effect.gen(function*() {
      const pool = yield* Pool
      const server = yield* Server.Server
      const work = <A, E>(id: string, effect: Effect.Effect<A, E>) =>
        Effect.suspend(() => {
          backend.begun.push(id)
          return effect
        }).pipe(
          Effect.onInterrupt(() => Effect.sync(() => backend.interrupted.push(id))),
          Effect.tap(() => Effect.sync(() => backend.executed.push(id))),
          Effect.ensuring(Effect.sync(() => {
            if (!pool.open) backend.foundClosed.push(id)
          }))
        )
      const ticks = Stream.repeatEffect(Effect.delay(Effect.succeed(1), "10 millis"))
      return Work.of({
        Quick: ({ id }) => work(id, Effect.as(Effect.yieldNow(), id)),
        Slow: ({ id }) => work(id, Effect.as(Effect.sleep("20 millis"), id)),
        Gated: ({ id }) => work(id, Effect.as(Effect.promise(() => backend.gate.promise), id)),
        Steadfast: ({ id }) =>
          Rpc.uninterruptible(work(id, Effect.as(Effect.promise(() => backend.steadfastGate.promise), id))),
        Endless: () =>
          Stream.ensuring(
            ticks,
            Effect.sync(() => {
              if (!pool.open) backend.foundClosed.push("Endless")
            })
          ),
        Polite: () => Stream.interruptWhen(ticks, server.shuttingDown)
      })
    })),
    Layer.scoped(
      Pool,
      Effect.acquireRelease(
        Effect.sync((): { open: boolean } => ({ open: true })),
        (pool) =>
          Effect.sync(() => {
            pool.open = false
          })
      )
    )
  )

export const protocols = ["sockets", "WebSockets of ws", "WebSockets of an HttpApp", "HTTP"] as const

export type Protocol = typeof protocols[number]

const isHttp = (protocol: Protocol) => protocol === "HTTP" || protocol === "WebSockets of an HttpApp"

/** How the layers are put together: as one on top of the other, or side by side, to be released in parallel. */
export type Shape = "stacked" | "parallel"

/** How it is run: drained, or as `@effect/rpc` runs it by itself. */
export interface Way {
  readonly shape?: Shape
  readonly drained?: boolean
  readonly serialization?: Layer.Layer<RpcSerialization.RpcSerialization>
  readonly disableTracing?: boolean
}

export const serving = (
  protocol: Protocol,
  backend: Backend,
  policy: Shutdown.Policy,
  { disableTracing = false, drained = true, serialization = RpcSerialization.layerNdjson, shape = "stacked" }: Way = {}
): Effect.Effect<Running, unknown, Scope.Scope> => {
  const listen = { host: "127.0.0.1", port: 0, ...policy }
  const rpc = RpcServer.layer(Work, { disableTracing }).pipe(Layer.provide(backend.layer))
  const wrapped = <E, R>(
    layer: Layer.Layer<RpcServer.Protocol, E, R>
  ): Layer.Layer<RpcServer.Protocol, E, R | Server.Server> => drained ? withDrain(layer) : layer
  if (isHttp(protocol)) {
    const spoken = wrapped(
      protocol === "HTTP"
        ? RpcServer.layerProtocolHttp({ path: "/rpc" })
        : RpcServer.layerProtocolWebsocket({ path: "/rpc" })
    )
    const app = shape === "stacked" ? served(Layer.provide(rpc, spoken)) : servedBeside(rpc, spoken)
    return launch(
      app.pipe(
        Layer.provide(serialization),
        Layer.provideMerge(NodeHttpServer.layerServer(() => createServer(), listen))
      ),
      (context) => targetOf(Context.get(context, HttpServer.HttpServer).address)
    )
  }
  const app = rpc.pipe(
    Layer.provide(wrapped(RpcServer.layerProtocolSocketServer)),
    Layer.provide(serialization),
    Layer.provideMerge(
      protocol === "sockets" ? NodeSocketServer.layer(listen) : NodeSocketServer.layerWebSocket(listen)
    )
  )
  return launch(app, (context) => targetOf(Context.get(context, SocketServer.SocketServer).address))
}

const portOf = ({ target }: Running) => "port" in target ? target.port : 0

/** Where its WebSockets are opened. */
export const urlOf = (protocol: Protocol, running: Running) =>
  `ws://127.0.0.1:${portOf(running)}${isHttp(protocol) ? "/rpc" : ""}`

/** Makes a call and does nothing else, as a client that knows nothing of interruption. */
export const call = async (protocol: Exclude<Protocol, "HTTP">, running: Running, tag: string, id: string) => {
  const message = `${JSON.stringify({ _tag: "Request", id: "1", tag, payload: { id }, headers: [] })}\n`
  if (protocol === "sockets") {
    const socket = Net.connect(portOf(running), "127.0.0.1").on("error", () => {}).resume()
    socket.write(message)
    return { close: () => void socket.end(), destroy: () => void socket.destroy() }
  }
  const socket = new WebSocket(urlOf(protocol, running)).on("error", () => {})
  await once(socket, "open")
  socket.send(message)
  return { close: () => socket.close(), destroy: () => socket.terminate() }
}

/** Connects, and calls nothing. Returns what suspends until it has been asked to leave. */
export const idlePeer = (
  protocol: Exclude<Protocol, "HTTP">,
  running: Running
): Effect.Effect<Effect.Effect<void>, never, Scope.Scope> =>
  Effect.gen(function*() {
    const before = (yield* running.server.connections).length
    const { close, ended } = yield* Effect.acquireRelease(
      Effect.sync(() => protocol === "sockets" ? silentSocket(running) : silentWebSocket(protocol, running)),
      ({ close }) => Effect.sync(close)
    )
    yield* until("an idle peer to connect", () => Effect.runSync(running.server.connections).length > before)
    return real("an idle peer to be asked to leave", Effect.promise(() => ended)).pipe(
      Effect.ensuring(Effect.sync(close))
    )
  })

const silentSocket = (running: Running) => {
  const socket = Net.connect(portOf(running), "127.0.0.1").on("error", () => {}).resume()
  return { ended: new Promise<void>((resolve) => socket.once("end", resolve)), close: () => void socket.destroy() }
}

const silentWebSocket = (protocol: Protocol, running: Running) => {
  const socket = new WebSocket(urlOf(protocol, running)).on("error", () => {})
  return {
    ended: new Promise<void>((resolve) => socket.once("close", () => resolve())),
    close: () => socket.terminate()
  }
}

/** Else a client of RPC waits for ever for the result in a 503. */
const http = Layer.effect(HttpClient.HttpClient, Effect.map(HttpClient.HttpClient, HttpClient.filterStatusOk)).pipe(
  Layer.provide(FetchHttpClient.layer)
)

/** A client with a connection of its own. */
export const client = (
  protocol: Protocol,
  running: Running,
  serialization: Layer.Layer<RpcSerialization.RpcSerialization> = RpcSerialization.layerNdjson
) => {
  const port = portOf(running)
  const layer = protocol === "HTTP"
    ? RpcClient.layerProtocolHttp({ url: `http://127.0.0.1:${port}/rpc` }).pipe(Layer.provide(http))
    : RpcClient.layerProtocolSocket().pipe(
      Layer.provide(
        protocol === "sockets"
          ? NodeSocket.layerNet({ host: "127.0.0.1", port })
          : NodeSocket.layerWebSocket(urlOf(protocol, running))
      )
    )
  return Layer.build(Layer.fresh(layer)).pipe(
    Effect.flatMap((context) => Effect.provide(RpcClient.make(Work), context)),
    Effect.provide(serialization)
  )
}
