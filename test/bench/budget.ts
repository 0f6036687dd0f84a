/**
 * What a request costs in things that can be counted, and so do not depend on the machine: listeners, timers and other
 * asynchronous resources, and bytes allocated, for each request on a connection that is kept alive. Client and server
 * share the process, and the client's share is the same for all.
 */
import { HttpServer, HttpServerResponse } from "@effect/platform"
import { NodeHttpServer as Stock } from "@effect/platform-node"
import { Effect, Exit, Layer, Logger, Scope } from "effect"
import { createHook } from "node:async_hooks"
import { EventEmitter } from "node:events"
import * as Http from "node:http"
import * as Net from "node:net"
import { getHeapStatistics } from "node:v8"
import { NodeHttpServer, Server } from "../../src/index.js"
import { table } from "../support/table.js"

export const kinds = ["node:http", "node:http, listened to by quiesce", "@effect/platform-node", "quiesce"] as const
export type Kind = (typeof kinds)[number]

export interface Counts {
  readonly listeners: number
  readonly timers: number
  readonly asyncResources: number
  /** Nothing is collected in between only where the process was started with a large young generation. */
  readonly bytes: number
}

const options = { host: "127.0.0.1", port: 0 }

const answer: Http.RequestListener = (_, response) => {
  response.writeHead(200, { "content-type": "text/plain", "content-length": "5" })
  response.end("hello")
}

const portOf = (server: Http.Server): number => (server.address() as Net.AddressInfo).port

/** Listens, and says where. */
const listening = (kind: Kind): Effect.Effect<number, unknown, Scope.Scope> => {
  const server = kind.startsWith("node:http") ? Http.createServer(answer) : Http.createServer()
  const app = HttpServer.serve(Effect.sync(() => HttpServerResponse.text("hello")))
  const silent = Logger.remove(Logger.defaultLogger)
  switch (kind) {
    case "node:http":
      return Effect.acquireRelease(
        Effect.promise(() => new Promise<void>((resolve) => server.listen(options, () => resolve()))),
        () => Effect.sync(() => server.close())
      ).pipe(Effect.map(() => portOf(server)))
    case "node:http, listened to by quiesce":
      return Effect.flatMap(Server.make({ idleGrace: 0 }), (_) => _.listen(() => server, options)).pipe(
        Effect.map(() => portOf(server)),
        Effect.provide(silent)
      )
    case "@effect/platform-node":
      return Layer.build(Layer.provide(app, Stock.layer(() => server, options))).pipe(
        Effect.map(() => portOf(server)),
        Effect.provide(silent)
      )
    case "quiesce":
      return Layer.build(Layer.provide(app, NodeHttpServer.layer(() => server, { ...options, idleGrace: 0 }))).pipe(
        Effect.map(() => portOf(server)),
        Effect.provide(silent)
      )
  }
}

/** One client, which sends its next request when it has the answer to the last. */
const exchange = (socket: Net.Socket, requests: number): Promise<void> =>
  new Promise((resolve) => {
    let left = requests
    const next = () => {
      if (left-- > 0) return socket.write("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
      socket.off("data", next)
      resolve()
      return true
    }
    socket.on("data", next)
    next()
  })

const counted = async (socket: Net.Socket, requests: number): Promise<Counts> => {
  let listeners = 0
  const own = { on: EventEmitter.prototype.on, once: EventEmitter.prototype.once }
  EventEmitter.prototype.on = EventEmitter.prototype.addListener = function(...args) {
    listeners++
    return own.on.apply(this, args)
  }
  const types: Array<string> = []
  const hook = createHook({ init: (_, type) => void types.push(type) })
  hook.enable()
  await exchange(socket, requests)
  hook.disable()
  EventEmitter.prototype.on = EventEmitter.prototype.addListener = own.on
  EventEmitter.prototype.once = own.once

  globalThis.gc?.()
  const allocated = () => getHeapStatistics().used_heap_size
  const before = allocated()
  await exchange(socket, requests)
  const bytes = allocated() - before
  const timers = types.filter((type) => type === "Timeout" || type === "Immediate").length
  return {
    listeners: listeners / requests,
    timers: timers / requests,
    asyncResources: (types.length - timers) / requests,
    bytes: bytes / requests
  }
}

export const measure = async (kind: Kind, requests = 200): Promise<Counts> => {
  const scope = Effect.runSync(Scope.make())
  const port = await Effect.runPromise(Scope.extend(listening(kind), scope))
  const socket = Net.connect(port, "127.0.0.1")
  await new Promise((resolve) => socket.once("connect", resolve))
  await exchange(socket, 2000)
  const counts = await counted(socket, requests)
  socket.destroy()
  await Effect.runPromise(Scope.close(scope, Exit.void))
  return counts
}

/** What is more than the budget allows; nothing, if all is well. */
export const exceeded = (counts: Readonly<Record<Kind, Counts>>): ReadonlyArray<string> => {
  const [bare, plain, stock, own] = kinds.map((kind) => counts[kind]) as [Counts, Counts, Counts, Counts]
  const compare = (what: keyof Counts, mine: Counts, other: Counts, more: number, against: string) =>
    mine[what] > other[what] + more ? [`${what}: ${mine[what]} a request, and ${other[what]} ${against}`] : []
  return [
    // the listener that tells when a response has left
    ...compare("listeners", plain, bare, 1.05, "with bare node:http, which may have one less"),
    ...compare("timers", plain, bare, 0.05, "with bare node:http"),
    ...compare("asyncResources", plain, bare, 0.05, "with bare node:http"),
    ...compare("listeners", own, stock, 0.05, "with @effect/platform-node"),
    ...compare("timers", own, stock, 0.05, "with @effect/platform-node"),
    ...compare("asyncResources", own, stock, 0.05, "with @effect/platform-node")
  ]
}

export const run = async (): Promise<void> => {
  const counts = {} as Record<Kind, Counts>
  for (const kind of kinds) counts[kind] = await measure(kind)
  table(
    "What a request on a kept connection makes, client and server together",
    ["server", "listeners", "timers", "other asynchronous resources", "bytes"],
    kinds.map((kind) => {
      const { asyncResources, bytes, listeners, timers } = counts[kind]
      return [kind, listeners.toFixed(2), timers.toFixed(2), asyncResources.toFixed(2), bytes.toFixed(0)]
    })
  )
  const over = exceeded(counts)
  if (over.length > 0) throw new Error(`The budget of the hot path is exceeded. ${over.join("; ")}`)
}
