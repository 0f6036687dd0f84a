/**
 * What every conformance test starts with: a plain Node server with Go's numbers, the history of its connections, and
 * the sockets as the server has them.
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import * as Fs from "node:fs"
import * as Http from "node:http"
import * as Net from "node:net"
import * as Os from "node:os"
import * as Path from "node:path"
import { type Connection, type Listener, Server, Shutdown } from "../../../src/index.js"
import type { RawClient, Target } from "../../support/rawClient.js"
import { get, launch, type Running, targetOf, until } from "../../support/running.js"

/** The states of each connection, in the order in which an observer saw them. */
export class History {
  readonly seen: Array<Connection.Connection> = []

  /** As Go's tests write it: `New,Active,Idle,Closed`. */
  of(id = 1): string {
    return this.seen.filter((connection) => connection.id === id).map(({ state }) => state).join()
  }

  count(state: Connection.ConnectionState): number {
    return this.seen.filter((connection) => connection.state === state).length
  }

  until(states: string, id = 1): Effect.Effect<void> {
    return Effect.asVoid(
      until(() => `${states} of connection ${id}, which went ${this.of(id)}`, () => this.of(id) === states)
    )
  }
}

export const historyOf = (server: Server.ServerService): Effect.Effect<History, never, Scope.Scope> =>
  Effect.gen(function*() {
    const history = new History()
    yield* server.observe((connection) => {
      history.seen.push(connection)
    })
    return history
  })

export interface Observed<Node = Http.Server> extends Running {
  readonly node: Node
  readonly listener: Listener.Listener
  /** In the order of accept. */
  readonly sockets: ReadonlyArray<Net.Socket>
  readonly history: History
}

export interface ServeOptions<Node = Http.Server> extends Shutdown.Policy {
  readonly listen?: Listener.Options
  /** What else the Node server is told before it listens. */
  readonly prepare?: (node: Node) => void
}

export const loopback: Listener.Options = { host: "127.0.0.1", port: 0 }

/** A plain Node server, with Go's policy where the test says nothing else. */
export const serve = (
  handler: Http.RequestListener,
  options: ServeOptions = {}
): Effect.Effect<Observed, unknown, Scope.Scope> => serveNode(Http.createServer(handler), options)

/** The same for a server of any protocol. */
export const serveNode = <Node extends Listener.NodeServer>(
  node: Node,
  { listen = loopback, prepare, ...policy }: ServeOptions<Node> = {}
): Effect.Effect<Observed<Node>, unknown, Scope.Scope> =>
  Effect.gen(function*() {
    const sockets: Array<Net.Socket> = []
    node.on("connection", (socket: Net.Socket) => sockets.push(socket))
    prepare?.(node)
    const bound = yield* Deferred.make<Listener.Listener>()
    const listening = Layer.scopedDiscard(
      Effect.flatMap(Server.Server, (server) => server.listen(() => node, listen)).pipe(
        Effect.tap((listener) => Deferred.succeed(bound, listener))
      )
    )
    const running = yield* launch(
      Layer.provideMerge(listening, Server.layer({ ...Shutdown.goPolicy, ...policy })),
      () => ({ port: 0 })
    )
    const listener = yield* Deferred.await(bound)
    const history = yield* historyOf(running.server)
    return { ...running, target: targetOf(listener.address), node, listener, sockets, history }
  })

/** Waits until the server has read all that the client has written. */
export const untilRead = ({ sockets }: Pick<Observed, "sockets">, client: RawClient): Effect.Effect<void> =>
  Effect.asVoid(until(
    () => `the server to read the ${client.socket.bytesWritten} bytes of its client`,
    () =>
      sockets.some((socket) =>
        socket.remotePort === client.socket.localPort && socket.bytesRead === client.socket.bytesWritten
      )
  ))

export const untilStopsListening = (node: Net.Server): Effect.Effect<void> =>
  Effect.asVoid(until("the listener to close", () => !node.listening))

export const leave = (client: RawClient): Effect.Effect<void> => Effect.sync(client.leave)

/**
 * Clients that the kernel has connected and the server has not accepted yet: `then` runs in the first one's `connect`
 * event.
 */
export const connectUnaccepted = (
  count: number,
  target: Target,
  then: () => void
): Effect.Effect<void, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const sockets = Array.from(
        { length: count },
        () => Net.connect("path" in target ? target : { host: "127.0.0.1", ...target })
      )
      for (const socket of sockets) socket.on("error", () => {}).resume()
      sockets[0]?.once("connect", then)
      return sockets
    }),
    (sockets) => Effect.sync(() => sockets.forEach((socket) => socket.destroy()))
  ).pipe(Effect.asVoid)

/** Takes connections over that ask for it, and echoes what they send. */
export const hijack = (node: Http.Server): void => {
  node.on("upgrade", (_, socket: Net.Socket, head: Buffer) => {
    socket.write("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
    socket.write(head)
    socket.on("data", (data) => socket.write(data))
    socket.on("end", () => socket.end())
  })
}

export const upgrade = get("/", "Connection: Upgrade", "Upgrade: echo")

/** A handler that answers when the test says so. */
export const holding = () => {
  const held: Array<Http.ServerResponse> = []
  let released = false
  return {
    handler: (_: Http.IncomingMessage, response: Http.ServerResponse) => {
      if (released) response.end("held")
      else held.push(response)
    },
    held,
    release: () => {
      released = true
      for (const response of held.splice(0)) response.end("held")
    }
  }
}

/** The path of a Unix socket that does not exist yet, in a directory that goes with the test. */
export const temporarySocket: Effect.Effect<string, never, Scope.Scope> = Effect.acquireRelease(
  Effect.sync(() => Fs.mkdtempSync(Path.join(Os.tmpdir(), "quiesce-"))),
  (directory) => Effect.sync(() => Fs.rmSync(directory, { recursive: true, force: true }))
).pipe(Effect.map((directory) => Path.join(directory, "socket")))
