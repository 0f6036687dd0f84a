/**
 * What is replaced of Node: each function puts something in the place of one method or field of a Node object, and no
 * other file does. What stands there, and why, is the matter of the file that calls it. What is read of Node is in
 * `internals.ts`.
 *
 * Each says what it replaces and for how long; on which versions of Node it is there, if not on all that are supported;
 * what becomes of us where it is not; and which test would fail. `test/conformance/node/internals.test.ts` reads these comments, and
 * tries each function on the Node that runs it.
 */
import type { Worker } from "node:cluster"
import type * as Http from "node:http"
import type * as Http2 from "node:http2"
import * as Net from "node:net"
import type { WriteStream } from "node:tty"
import type { ListeningHandle, Parser, Writer } from "./internals.js"

/** Puts back what was replaced, unless somebody else has replaced it since: theirs goes on calling ours. */
export type Restore = () => void

const replace = (object: object, name: PropertyKey, value: unknown): Restore => {
  const own = Object.getOwnPropertyDescriptor(object, name)
  Object.defineProperty(object, name, { value, configurable: true, enumerable: true, writable: true })
  return () => {
    if (Reflect.get(object, name) !== value) return
    if (own === undefined) Reflect.deleteProperty(object, name)
    else Object.defineProperty(object, name, own)
  }
}

const nothing: Restore = () => {}

/** A method that stands in for one of Node's, with whatever it is called with. */
type Method<This, Result = unknown> = (this: This, ...args: ReadonlyArray<unknown>) => Result

// Servers

/**
 * What a server emits is seen, and may be held back, before its own listeners hear of it.
 *
 * - Replaces: `emit` of a server
 * - For: as long as it is listened with or adopted; of another one, as long as it has a connection that ours has passed on
 * - Where Node has it not: there is no such Node
 * - Pinned by: `test/conformance/guarantees/nothingLeft.test.ts`, `test/adversarial/sharedSockets/passedOn.test.ts`
 */
export const serverEmit = <Server extends Net.Server>(server: Server, emit: Method<Server, boolean>): Restore =>
  replace(server, "emit", emit)

/**
 * Sees the connections that are passed to a Node server which has no `emit` of its own.
 *
 * - Replaces: `emit` that all servers inherit (`Net.Server.prototype`)
 * - For: as long as a server of ours has not shut down
 * - Where Node has it not: there is no such Node
 * - Pinned by: `test/adversarial/sharedSockets/passedOn.test.ts`, `test/adversarial/otherCode/wrappedEmit.test.ts`
 */
export const inheritedEmit = (emit: Method<Net.Server, boolean>): Restore => replace(Net.Server.prototype, "emit", emit)

/**
 * Sees the servers that are made to listen, whoever has made them.
 *
 * - Replaces: `listen` that all servers inherit (`Net.Server.prototype`)
 * - For: good, where `quiesce/register` is loaded
 * - Where Node has it not: there is no such Node
 * - Pinned by: `test/e2e/register/servers.test.ts`
 */
export const inheritedListen = (before: (server: Net.Server) => void): Restore => {
  const { listen } = Net.Server.prototype
  return replace(Net.Server.prototype, "listen", function(this: Net.Server, ...args: ReadonlyArray<unknown>): unknown {
    before(this)
    return Reflect.apply(listen, this, args)
  })
}

/**
 * Other code that closes a server begins our shutdown.
 *
 * - Replaces: `close` of a server
 * - For: as long as it is listened with or adopted, and until it listens again
 * - Where Node has it not: there is no such Node
 * - Pinned by: `test/adversarial/otherCode/closers.test.ts`
 */
export const serverClose = <Server extends Net.Server>(
  server: Server,
  close: (this: Server, callback?: unknown) => Server
): Restore => replace(server, "close", close)

/**
 * Closes the server by its own `close`. What a server of HTTP/2 inherits does not call that.
 *
 * - Replaces: `[Symbol.asyncDispose]` of a server
 * - For: as long as it is listened with or adopted, and until it listens again
 * - Where Node has it not: it is there as long as ours is
 * - Pinned by: `test/adversarial/otherCode/closers.test.ts`
 */
export const serverDispose = (server: Net.Server, dispose: () => Promise<void>): Restore =>
  replace(server, Symbol.asyncDispose, dispose)

/**
 * Node takes a connection for idle whose answer has not left.
 *
 * - Replaces: `closeIdleConnections` of a server
 * - For: as long as it is listened with or adopted
 * - Where Node has it not: it stays away, as of servers that speak no HTTP/1.1
 * - Pinned by: `test/adversarial/otherCode/closers.test.ts`
 */
export const closeIdleConnections = (server: Net.Server, close: () => void): Restore =>
  "closeIdleConnections" in server ? replace(server, "closeIdleConnections", close) : nothing

/**
 * In a shutdown, nothing that is owed is cut.
 *
 * - Replaces: `closeAllConnections` of a server
 * - For: as long as it is listened with or adopted
 * - Where Node has it not: it stays away, as of servers that speak no HTTP/1.1
 * - Pinned by: `test/adversarial/otherCode/closers.test.ts`, `test/adversarial/otherCode/destroyers.test.ts`
 */
export const closeAllConnections = (server: Net.Server, close: () => void): Restore =>
  "closeAllConnections" in server ? replace(server, "closeAllConnections", close) : nothing

/**
 * Only requests whose upgrade somebody speaks are handed over as one.
 *
 * - Replaces: `shouldUpgradeCallback` of a server
 * - For: as long as it is listened with or adopted
 * - Node: 22.21, 24.9
 * - Where Node has it not: `listenerCount` of the server is replaced
 * - Pinned by: `test/scenarios/upgrades/notSpoken.test.ts`
 */
export const shouldUpgradeCallback = (
  server: Net.Server,
  decide: (request: Http.IncomingMessage) => boolean
): Restore => replace(server, "shouldUpgradeCallback", decide)

/**
 * The same, of a Node that asks whether anybody listens for upgrades.
 *
 * - Replaces: `listenerCount` of a server
 * - For: as long as it is listened with or adopted
 * - Where Node has it not: there is no such Node
 * - Pinned by: `test/scenarios/upgrades/notSpoken.test.ts`
 */
export const listenerCount = (
  server: Net.Server,
  count: (name: string | symbol, listener?: (...args: ReadonlyArray<never>) => unknown) => number
): Restore => replace(server, "listenerCount", count)

/**
 * Node calls it the first time that a server sends a socket to a process; ours is told before.
 *
 * - Replaces: `_setupWorker` of a server
 * - For: as long as it is listened with or adopted
 * - Where Node has it not: sockets that were sent away are found out about when connections are counted
 * - Pinned by: `test/adversarial/sharedSockets/sentSocket.test.ts`
 */
export const setupWorker = (server: Net.Server, before: () => void): Restore => {
  const { _setupWorker: own } = server as { readonly _setupWorker?: unknown }
  if (typeof own !== "function") return nothing
  return replace(server, "_setupWorker", function(this: Net.Server, ...args: ReadonlyArray<unknown>): unknown {
    before()
    return Reflect.apply(own, this, args)
  })
}

/**
 * Node calls it for a server that listens, with the address that it has looked up; ours is told before. "Still named like
 * this to avoid breaking code that wraps this function", says Node.
 *
 * - Replaces: `_listen2` that all servers inherit (`Net.Server.prototype`)
 * - For: as long as a listening socket of ours is closing
 * - Where Node has it not: an address in use is in use
 * - Pinned by: `test/adversarial/otherCode/portAgain.test.ts`
 */
export const inheritedListen2 = (
  before: (
    server: Net.Server,
    args: { readonly address: unknown; readonly fd: unknown; readonly flags: unknown; readonly port: unknown }
  ) => void
): Restore => {
  const { _listen2: listen } = Net.Server.prototype as { readonly _listen2?: unknown }
  if (typeof listen !== "function") return nothing
  return replace(
    Net.Server.prototype,
    "_listen2",
    function(this: Net.Server, ...args: ReadonlyArray<unknown>): unknown {
      const [address, port, , , fd, flags] = args
      before(this, { address, fd, flags, port })
      return Reflect.apply(listen, this, args)
    }
  )
}

/**
 * A server is given a listening socket that is bound, or loses its own.
 *
 * - Replaces: `_handle` of a server
 * - For: good
 * - Where Node has it not: nothing sets it, as nothing calls `_listen2` then
 * - Pinned by: `test/adversarial/otherCode/portAgain.test.ts`
 */
export const setHandle = (server: Net.Server, handle: ListeningHandle | null): void => {
  ;(server as { _handle?: ListeningHandle | null })._handle = handle
}

/**
 * A server that never listens, to be given to a library that attaches its handlers to one.
 *
 * - Replaces: `listen` and `address` of a server that is ours alone
 * - For: good
 * - Where Node has it not: there is no such Node
 * - Pinned by: `test/modules/nodeHttpServer/upgrade.test.ts`, `test/modules/nodeSocketServer/webSocket.test.ts`
 */
export const neverListens = (server: Http.Server): Http.Server =>
  Object.assign(server, {
    listen: (_options: unknown, listening: () => void) => {
      listening()
      return server
    },
    address: () => ({ address: "127.0.0.1", family: "IPv4", port: 0 })
  })

// Processes of a cluster

/**
 * Node ends a worker at once whose primary has gone, unless the worker has been told to leave.
 *
 * - Replaces: `exitedAfterDisconnect` of a worker of `node:cluster`
 * - For: good, from the end of its primary on
 * - Where Node has it not: such a worker is ended with what it owes
 * - Pinned by: `test/e2e/register/cluster.test.ts`
 */
export const outlivePrimary = (worker: Worker): void => {
  worker.exitedAfterDisconnect = true
}

// Sockets

/**
 * Node calls `setTimeout(0)` of a socket that it sends to another process.
 *
 * - Replaces: `setTimeout` of a socket
 * - For: until it is sent, from the moment at which its server sends the first one
 * - Where Node has it not: there is no such Node
 * - Pinned by: `test/adversarial/sharedSockets/sentSocket.test.ts`
 */
export const socketSetTimeout = (socket: Net.Socket, setTimeout: Net.Socket["setTimeout"]): Restore =>
  replace(socket, "setTimeout", setTimeout)

/**
 * Node calls it after the last answer of a connection, and so closes before its client has read that.
 *
 * - Replaces: `destroySoon` of a socket
 * - For: good, from the moment at which its client is to be asked to leave
 * - Where Node has it not: Node closes a connection after its last answer, and a client that is sending may lose that
 * - Pinned by: `test/scenarios/pipelined.test.ts`
 */
export const destroySoon = (socket: Net.Socket, destroy: (this: Net.Socket) => void): void => {
  if (typeof socket.destroySoon === "function") socket.destroySoon = destroy
}

type Destroy = (this: Net.Socket, error: Error | null, callback: (error?: Error | null) => void) => void
type Final = (this: Net.Socket, callback: (error?: Error | null) => void) => void

/**
 * All that destroys or ends a socket comes down to these two; ours are told before.
 *
 * - Replaces: `_destroy` and `_final` of a socket
 * - For: good, from the beginning of a shutdown
 * - Where Node has it not: an answer that other code cuts counts as one whose client has left
 * - Pinned by: `test/adversarial/otherCode/destroyers.test.ts`
 */
export const socketEnds = (
  socket: Net.Socket,
  before: { readonly destroy: (error: Error | null) => void; readonly final: () => void }
): void => {
  const internals = socket as { _destroy: unknown; _final: unknown }
  const { _destroy: destroy, _final: final } = internals
  if (typeof destroy !== "function" || typeof final !== "function") return
  const ownDestroy: Destroy = function(error, callback) {
    before.destroy(error)
    Reflect.apply(destroy, this, [error, callback])
  }
  const ownFinal: Final = function(callback) {
    before.final()
    Reflect.apply(final, this, [callback])
  }
  internals._destroy = ownDestroy
  internals._final = ownFinal
}

/**
 * The close of a socket is heard of. A listener for `close` beside Node's own would make a list of the two on each socket,
 * which Node makes larger with the first response; ours is added as the socket is destroyed, before which none closes.
 *
 * - Replaces: `_destroy` of a socket
 * - For: good, from its accept on
 * - Where Node has it not: the listener is there from the accept on
 * - Pinned by: `test/adversarial/otherCode/socketClose.test.ts`
 */
export const socketClose = (onClose: (this: Net.Socket) => void): (socket: Net.Socket) => void => {
  const { prototype } = Net.Socket as unknown as { readonly prototype: { readonly _destroy?: unknown } }
  const ownDestroy: Destroy = function(error, callback) {
    this.prependListener("close", onClose)
    Reflect.apply(prototype._destroy as Destroy, this, [error, callback])
  }
  return (socket) => {
    const internals = socket as { _destroy?: unknown }
    const { _destroy: destroy } = internals
    const isHeard = destroy === ownDestroy || (typeof destroy === "function" && destroy === prototype._destroy)
    if (!isHeard || socket.destroyed) socket.on("close", onClose)
    else if (destroy !== ownDestroy) internals._destroy = ownDestroy
  }
}

/**
 * What Node makes of the answers that it has kept goes nowhere.
 *
 * - Replaces: `write` of a socket
 * - For: good; it is about to be destroyed
 * - Where Node has it not: there is no such Node
 * - Pinned by: `test/adversarial/http1/leftUnread.test.ts`
 */
export const dropWrites = (socket: Net.Socket): void => {
  socket.write = () => true
}

/**
 * The handle reads, although its stream has not asked it to: for the stream, a read is under way.
 *
 * - Replaces: `_handle.reading` of a socket, and calls `_handle.readStart`
 * - For: until the stream stops it
 * - Where Node has it not: of a connection that is not read from, only a reset is noticed
 * - Pinned by: `test/adversarial/http1/leftUnread.test.ts`
 */
export const startReading = (socket: Net.Socket): void => {
  const { _handle: handle } = socket as {
    readonly _handle?: { reading?: boolean; readonly readStart?: () => number } | null
  }
  if (handle === null || typeof handle?.readStart !== "function") return
  handle.reading = true
  handle.readStart()
}

// The parser of HTTP/1.1

/**
 * A read is parsed behind a request whose upgrade is not used.
 *
 * - Replaces: `execute` of a parser
 * - For: as long as its connection is open; Node uses the parser of one that has closed for others
 * - Where Node has it not: what follows an unused upgrade in the same read is dropped, as by Node
 * - Pinned by: `test/scenarios/upgrades/notSpoken.test.ts`
 */
export const parserExecute = (parser: Parser, execute: (data: Uint8Array) => unknown): Restore =>
  replace(parser, "execute", execute)

/**
 * The same, of a parser that reads by itself.
 *
 * - Replaces: the callback of a parser that `executedIndexOf` has found
 * - For: once
 * - Where Node has it not: what follows an unused upgrade in the same read is dropped, as by Node
 * - Pinned by: `test/scenarios/upgrades/notSpoken.test.ts`
 */
export const parserExecuted = (parser: Parser, index: number, executed: (result: unknown) => void): Restore =>
  replace(parser, index, executed)

/**
 * Over TLS, Node hands to its parser what has been decrypted after reading has stopped. One that is paused takes that for
 * an error (`HPE_PAUSED`; seen in Node 20). That pause stands for nothing: what is not read does not come to the parser.
 *
 * - Replaces: `pause` of the parser of a socket
 * - For: as long as the connection is HTTP/1.1; Node uses the parser for others after that
 * - Where Node has it not: there is no pause
 * - Pinned by: `test/adversarial/http1/onePipeline.test.ts`
 */
export const parserPause = (parser: Parser | undefined): Restore =>
  typeof parser?.pause === "function" ? replace(parser, "pause", () => {}) : nothing

/**
 * What a handler writes to a WebSocket that it has taken over is seen, and a close frame put between its frames.
 *
 * - Replaces: `write` of a socket
 * - For: as long as it may be a WebSocket that no library which we know has made
 * - Where Node has it not: there is no such Node
 * - Pinned by: `test/scenarios/upgrades/proxied.test.ts`
 */
export const socketWrite = (socket: Net.Socket, write: (...args: ReadonlyArray<unknown>) => boolean): Restore =>
  replace(socket, "write", write)

/**
 * The same, of what a handler ends it with: Node does not call `write` for that.
 *
 * - Replaces: `end` of a socket
 * - For: as long as it may be a WebSocket that no library which we know has made
 * - Where Node has it not: there is no such Node
 * - Pinned by: `test/scenarios/upgrades/proxied.test.ts`
 */
export const socketEnd = (socket: Net.Socket, end: (...args: ReadonlyArray<unknown>) => unknown): Restore =>
  replace(socket, "end", end)

// Messages

/**
 * A response asks its client to leave when its head is written.
 *
 * - Replaces: `writeHead` of a response
 * - For: good, where it was in flight when its client was to be asked to leave, or has come since
 * - Where Node has it not: there is no such Node
 * - Pinned by: `test/conformance/go/keepAlive.test.ts`
 */
export const writeHead = (
  response: Http.ServerResponse,
  write: (this: Http.ServerResponse, statusCode: number, ...rest: ReadonlyArray<unknown>) => Http.ServerResponse
): void => {
  response.writeHead = write
}

/**
 * Node sends `Connection: close` with the response, and closes the connection after it.
 *
 * - Replaces: `shouldKeepAlive` of a response
 * - For: good
 * - Where Node has it not: there is no such Node
 * - Pinned by: `test/conformance/go/keepAlive.test.ts`
 */
export const disableKeepAlive = (response: Http.ServerResponse): void => {
  response.shouldKeepAlive = false
}

/**
 * Whoever ends a response that was cut is told so, and its callback is called; what was ended before is not ended again.
 *
 * - Replaces: `end` of a response, or of a stream
 * - For: good: it was destroyed, its deadline has passed, or it was ended before its handler
 * - Where Node has it not: there is no such Node
 * - Pinned by: `test/conformance/guarantees/awaitedAnswers.test.ts`, `test/conformance/guarantees/badHandlers.test.ts`, `test/scenarios/eventStreams/handler.test.ts`
 */
export const end = (
  response: { end: (...args: Array<never>) => unknown },
  end: (...args: ReadonlyArray<unknown>) => unknown
): void => {
  response.end = end
}

/**
 * A response that is destroyed in the middle is told that it has been cut.
 *
 * - Replaces: `destroy` of a response
 * - For: good: its deadline has passed
 * - Where Node has it not: there is no such Node
 * - Pinned by: `test/scenarios/destroyedByHandler.test.ts`
 */
export const responseDestroy = (
  response: { destroy: (...args: Array<never>) => unknown },
  destroy: (error?: Error) => unknown
): void => {
  response.destroy = destroy
}

/**
 * What is written behind its end is dropped.
 *
 * - Replaces: `write` of a response, or of a stream
 * - For: good: it was ended before its handler
 * - Where Node has it not: there is no such Node
 * - Pinned by: `test/scenarios/eventStreams/handler.test.ts`
 */
export const write = (writer: Writer, write: (...args: ReadonlyArray<unknown>) => unknown): void => {
  writer.write = write
}

/**
 * A response closes once, before it says `finish`.
 *
 * - Replaces: `emit` of a response
 * - For: good: it was ended before its handler
 * - Where Node has it not: there is no such Node
 * - Pinned by: `test/scenarios/eventStreams/handler.test.ts`
 */
export const responseEmit = (
  response: Http.ServerResponse,
  emit: (...args: [event: string | symbol, ...Array<unknown>]) => boolean
): void => {
  response.emit = emit
}

/**
 * The handler of an event stream that was ended early sees what it sees when its client leaves.
 *
 * - Replaces: `writableEnded` and `writableFinished` of a response
 * - For: good: it was ended before its handler
 * - Where Node has it not: there is no such Node
 * - Pinned by: `test/scenarios/eventStreams/handler.test.ts`
 */
export const looksUnfinished = (response: object): void => {
  replace(response, "writableEnded", false)
  replace(response, "writableFinished", false)
}

/**
 * The same, for what Node says only after the `close` of the response.
 *
 * - Replaces: `destroyed` and `_closed` of a response
 * - For: good: it was ended before its handler
 * - Where Node has it not: `closed` says so when Node does
 * - Pinned by: `test/scenarios/eventStreams/handler.test.ts`
 */
export const looksClosed = (response: Http.ServerResponse): void => {
  response.destroyed = true
  if ("_closed" in response) response._closed = true
}

/**
 * A reader of a body that is interrupted destroys its request, and with it the connection that a 503 is to be sent on.
 *
 * - Replaces: `destroy` of a request
 * - For: good: its deadline has passed
 * - Where Node has it not: there is no such Node
 * - Pinned by: `test/conformance/guarantees/badHandlers.test.ts`
 */
export const requestDestroy = (request: Http.IncomingMessage, destroy: Http.IncomingMessage["destroy"]): void => {
  request.destroy = destroy
}

// HTTP/2

/**
 * Who destroys a session cuts its streams.
 *
 * - Replaces: `destroy` of a session
 * - For: good
 * - Where Node has it not: there is no such Node
 * - Pinned by: `test/adversarial/otherCode/destroyers.test.ts`
 */
export const sessionDestroy = (
  session: Http2.ServerHttp2Session,
  destroy: Http2.ServerHttp2Session["destroy"]
): void => {
  session.destroy = destroy
}

/**
 * `close` of a session sends GOAWAY, also where one has been sent.
 *
 * - Replaces: `goaway` of a session
 * - For: while its `close` runs
 * - Where Node has it not: there is no such Node
 * - Pinned by: `test/conformance/go/http2Goaway.test.ts`
 */
export const sessionGoaway = (session: Http2.ServerHttp2Session, goaway: () => void): Restore =>
  replace(session, "goaway", goaway)

/**
 * An event stream of which nothing has been sent is ended when it begins.
 *
 * - Replaces: `respond` of a stream
 * - For: until it is called
 * - Where Node has it not: there is no such Node
 * - Pinned by: `test/scenarios/eventStreams/handler.test.ts`
 */
export const streamRespond = (
  stream: Http2.ServerHttp2Stream,
  respond: Http2.ServerHttp2Stream["respond"]
): Restore => replace(stream, "respond", respond)

/**
 * Sees the streams that are pushed. Assigned and never restored, as each stream has its own.
 *
 * - Replaces: `pushStream` of a stream
 * - For: good, where its client takes pushed streams
 * - Where Node has it not: there is no such Node
 * - Pinned by: `test/conformance/protocols/pushedStreams.test.ts`
 */
export const pushStream = (
  stream: Http2.ServerHttp2Stream,
  push: Http2.ServerHttp2Stream["pushStream"]
): void => {
  stream.pushStream = push
}

// The process

/**
 * A signal that this process sends to itself is told from those of others. `process.kill` calls `_kill`, also where it was
 * taken before, as `import { kill } from "node:process"` does.
 *
 * - Replaces: `process._kill`
 * - For: as long as signals are listened for
 * - Where Node has it not: `process.kill` itself is replaced
 * - Pinned by: `test/adversarial/otherCode/signals.test.ts`
 */
export const processKill = (make: (kill: Method<unknown>) => Method<unknown>): Restore => {
  const { _kill } = process as { readonly _kill?: unknown }
  return typeof _kill === "function"
    ? replace(process, "_kill", make(_kill as Method<unknown>))
    : replace(process, "kill", make(process.kill as Method<unknown>))
}

/**
 * Signals may be kept from the program's own listeners. Node looks up the `emit` that it calls for a signal when the first
 * listener for that signal is added.
 *
 * - Replaces: `emit` of the process
 * - For: good, where `quiesce/register` is loaded
 * - Where Node has it not: there is no such Node
 * - Pinned by: `test/e2e/register/signals.test.ts`
 */
export const processEmit = (make: (emit: Method<unknown>) => Method<unknown>): Restore =>
  replace(process, "emit", make(process.emit as Method<unknown>))

/**
 * What others write to a terminal goes above the lines that are drawn there.
 *
 * - Replaces: `write` of a terminal
 * - For: as long as there are lines
 * - Where Node has it not: there is no such Node
 * - Pinned by: `test/modules/telemetry/status.test.ts`
 */
export const terminalWrite = (stream: WriteStream, write: (...args: ReadonlyArray<unknown>) => boolean): Restore =>
  replace(stream, "write", write)

// What libraries have

/**
 * A server that fastify makes later is heard of.
 *
 * - Replaces: `push` of the list that `serverBindingsOf` reads
 * - For: good
 * - Where fastify has it not: only the first server is drained
 * - Pinned by: `test/modules/promise/fastify.test.ts`
 */
export const bindingsPush = (bindings: Array<unknown>, added: (binding: unknown) => void): void => {
  bindings.push = function(...more: ReadonlyArray<unknown>) {
    more.forEach(added)
    return Array.prototype.push.apply(this, [...more])
  }
}
