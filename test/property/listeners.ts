/** The Node servers of a history, and the scopes that their listeners live in. */
import type * as HttpServer from "@effect/platform/HttpServer"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import * as Http from "node:http"
import * as Http2 from "node:http2"
import type * as Net from "node:net"
import * as Path from "node:path"
import type { Listener, Server, Shutdown } from "../../src/index.js"
import type { Target } from "./client.js"
import type { ListenerFact } from "./facts.js"
import type { HandlerControl } from "./handlerControl.js"
import type { ListenerKind } from "./history.js"
import { echoUpgrade, plainHandler } from "./plainApp.js"

export interface Listening {
  readonly fact: ListenerFact
  readonly node: Listener.NodeServer & Net.Server
  target: Target
  readonly scope: Scope.CloseableScope | undefined
  /** Its scope is closing. */
  closing: boolean
  /** Its scope closes it, and has not ended: in a shutdown, which closes it in its own order, that ends at once. */
  closesAlone: boolean
}

/**
 * Clients come to listeners that have closed, too, whose port may be another process's by then: each has an address of
 * its own, where all of 127.0.0.0/8 is this machine.
 */
export const host = process.platform === "linux"
  ? `127.${1 + (process.pid >> 16)}.${process.pid >> 8 & 255}.${process.pid & 255}`
  : "127.0.0.1"

let sockets = 0

/** Where it is to listen: a port of its own, or a path in `directory`. */
export const place = (transport: ListenerFact["transport"], directory: string): Listener.Options =>
  transport === "tcp"
    ? { host, port: 0 }
    : { path: Path.join(directory, `${process.pid}-${++sockets}.sock`) }

/** A server without listeners of its own, so that the app answers. */
export const nodeForApp = (protocol: ListenerFact["protocol"]) =>
  protocol === "h2" ? Http2.createServer() : Http.createServer()

/** A server that answers by itself. */
export const nodeWithHandler = (protocol: ListenerFact["protocol"], handlers: HandlerControl) => {
  if (protocol === "h2") return Http2.createServer(plainHandler(handlers))
  const node = Http.createServer(plainHandler(handlers))
  node.on("upgrade", echoUpgrade(handlers))
  return node
}

/** Listens by itself, as a framework does. */
export const listenAlone = (node: Net.Server, options: Net.ListenOptions): Promise<void> =>
  new Promise((resolve, reject) => {
    node.once("error", reject)
    node.listen(options, () => {
      node.off("error", reject)
      resolve()
    })
  })

export const targetOf = (address: Listener.Address | HttpServer.Address): Target =>
  "path" in address ? { path: address.path } : { host, port: address.port }

/** What a kind of listener is. */
export const factOf = (kind: ListenerKind): ListenerFact => ({
  kind,
  ofApp: kind.endsWith("app"),
  protocol: kind.startsWith("h2") ? "h2" : "http/1.1",
  transport: kind.startsWith("unix") ? "unix" : "tcp",
  closed: undefined
})

/** Listens with one more server, in a scope of its own. */
export const open = (
  server: Server.ServerService,
  kind: ListenerKind,
  handlers: HandlerControl,
  directory: string,
  prepare: (node: Net.Server) => void
): Effect.Effect<Listening, Listener.ListenError | Shutdown.ServerClosed> =>
  Effect.gen(function*() {
    const fact = factOf(kind)
    const options = place(fact.transport, directory)
    const node = fact.ofApp ? nodeForApp(fact.protocol) : nodeWithHandler(fact.protocol, handlers)
    prepare(node)
    const scope = yield* Scope.make()
    if (kind === "tcp adopted") yield* Effect.promise(() => listenAlone(node, options))
    const listening = kind === "tcp adopted" ? server.adopt(node) : server.listen(() => node, options)
    const { address } = yield* Scope.extend(listening, scope).pipe(
      Effect.tapError(() =>
        Effect.zipRight(Scope.close(scope, Exit.void), Effect.sync(() => node.listening ? node.close() : undefined))
      )
    )
    return { fact, node, target: targetOf(address), scope, closing: false, closesAlone: false }
  })
