/**
 * What is read of Node that Node does not document: each function reads one field, symbol or object, and no other file
 * does. What is replaced or written is in `patch.ts`.
 *
 * Each says what it reads; on which versions of Node it is there, if not on all that are supported; what becomes of us
 * where it is not; and which test would fail. `test/conformance/node/internals.test.ts` reads these comments, and tries
 * each function on the Node that runs it.
 */
import { executionAsyncResource } from "node:async_hooks"
import type * as Http from "node:http"
import type * as Http2 from "node:http2"
import type * as Net from "node:net"
import { getSystemErrorName } from "node:util"
import type { Worker } from "node:worker_threads"

/** The symbols of Node's that have been found. To look through those of an object takes long, and Node has one of each. */
const found = new Map<string, symbol>()

/** What an object has under a symbol of somebody else's; `undefined` where it has none. */
const symbolNamed = (owner: object, description: string): unknown => {
  const known = found.get(description)
  if (known !== undefined && Object.hasOwn(owner, known)) return Reflect.get(owner, known)
  const symbol = Object.getOwnPropertySymbols(owner).find((symbol) => symbol.description === description)
  if (symbol === undefined) return undefined
  found.set(description, symbol)
  return Reflect.get(owner, symbol)
}

// Servers

/** What Node keeps of a listening socket. A worker of `node:cluster` has one without a descriptor. */
export interface ListeningHandle {
  readonly fd?: number
  readonly close?: () => void
  readonly listen?: (backlog: number) => number
  readonly ref?: () => void
}

/**
 * The listening socket itself.
 *
 * - Reads: `_handle` of a server, and of that `fd`, `close` and `listen`
 * - Where Node has it not: a socket is closed by `close` of its server alone, its queue keeps its length, its address is
 *   in use until it has closed, and it is not handed over
 * - Pinned by: `test/adversarial/sharedSockets/backlog.test.ts`, `test/adversarial/otherCode/portAgain.test.ts`
 */
export const handleOf = (server: Net.Server): ListeningHandle | undefined =>
  (server as { readonly _handle?: ListeningHandle | null })._handle ?? undefined

/**
 * The number of a listening socket.
 *
 * - Reads: `_handle.fd` of a server
 * - Where Node has it not: the socket is not handed over
 * - Pinned by: `test/e2e/handoff/example.test.ts`
 */
export const descriptorOf = (server: Net.Server): number | undefined => {
  const { fd } = handleOf(server) ?? {}
  return typeof fd === "number" && fd >= 0 ? fd : undefined
}

/**
 * What a server was asked to listen on, as `family:address:port`. It has none of them for a descriptor
 * (`null:null:null`), and -1 for a handle (`-1:null:-1`).
 *
 * - Reads: `_connectionKey` of a server
 * - Where Node has it not: its socket is taken for one that this process has bound
 * - Pinned by: `test/adversarial/sharedSockets/backlog.test.ts`
 */
export const connectionKeyOf = (server: Net.Server): string | undefined => {
  const { _connectionKey: key } = server as { readonly _connectionKey?: unknown }
  return typeof key === "string" ? key : undefined
}

/**
 * Whether a server listens on a path.
 *
 * - Reads: `_pipeName` of a server
 * - Where Node has it not: a socket on a path is taken for one that somebody else has made: its file is not looked at
 * - Pinned by: `test/adversarial/sharedSockets/unixPath.test.ts`
 */
export const hasPipeName = (server: Net.Server): boolean =>
  typeof (server as { readonly _pipeName?: unknown })._pipeName === "string"

/**
 * Whether a server has been told to listen on a host that is to be looked up: Node counts those calls.
 *
 * - Reads: `_listeningId` of a server
 * - Where Node has it not: it is taken to have been told nothing
 * - Pinned by: `test/modules/listener/listenError.test.ts`
 */
export const hasLookedUpHost = (server: Net.Server): boolean =>
  ((server as { readonly _listeningId?: unknown })._listeningId ?? 1) !== 1

interface ConnectionsList {
  readonly active?: () => ReadonlyArray<unknown>
  readonly all?: () => ReadonlyArray<{ readonly socket?: Net.Socket }>
}

const connectionsOf = (server: Net.Server): ConnectionsList | undefined =>
  symbolNamed(server, "http.server.connections") as ConnectionsList | undefined

/**
 * The parsers of an HTTP/1.1 server that are in the middle of a message.
 *
 * - Reads: `active()` of `[http.server.connections]` of a server, which its `closeIdleConnections` reads as well
 * - Where Node has it not: no connection is taken to be in the middle of a message; its graces hold
 * - Pinned by: `test/scenarios/halfRequests.test.ts`
 */
export const activeParsers = (server: Net.Server): ReadonlyArray<unknown> => {
  const list = connectionsOf(server)
  return typeof list?.active === "function" ? list.active() : []
}

/**
 * The connections of an HTTP/1.1 server.
 *
 * - Reads: `all()` of `[http.server.connections]` of a server, and `socket` of each of these parsers
 * - Where Node has it not: a server that is adopted keeps the connections that it has to itself
 * - Pinned by: `test/adversarial/http2/adopted.test.ts`
 */
export const socketsOf = (server: Net.Server): ReadonlyArray<Net.Socket> => {
  const list = connectionsOf(server)
  return typeof list?.all === "function" ? list.all().flatMap(({ socket }) => socket ?? []) : []
}

/**
 * What a server of HTTP/2 was made with.
 *
 * - Reads: `[options]` of a server
 * - Where Node has it not: the number of streams of a session is not limited
 * - Pinned by: `test/adversarial/http2/oneSession.test.ts`
 */
export const http2OptionsOf = (server: Net.Server): { readonly settings?: Http2.Settings } | undefined =>
  symbolNamed(server, "options") as { readonly settings?: Http2.Settings } | undefined

/**
 * What a server asks before it hands over a request as an upgrade.
 *
 * - Reads: `shouldUpgradeCallback` of a server
 * - Node: 22.21, 24.9
 * - Where Node has it not: it asks `listenerCount` instead
 * - Pinned by: `test/scenarios/upgrades/notSpoken.test.ts`
 */
export const upgradeCallbackOf = (server: Net.Server): unknown =>
  (server as { readonly shouldUpgradeCallback?: unknown }).shouldUpgradeCallback

// Sockets

interface SocketHandle {
  readonly reading?: boolean
  readonly readStart?: () => number
  readonly getpeername?: (out: object) => number
  readonly writeQueueSize?: number
  readonly bytesWritten?: number
}

const handleOfSocket = (socket: Net.Socket): SocketHandle | null | undefined =>
  (socket as { readonly _handle?: SocketHandle | null })._handle

/**
 * Whether a socket has no handle: it is still connecting, it was destroyed, or somebody has taken the handle away.
 *
 * - Reads: `_handle` of a socket
 * - Where Node has it not: a socket that was sent to another process stays a connection of this one
 * - Pinned by: `test/adversarial/sharedSockets/sentSocket.test.ts`
 */
export const hasNoHandle = (socket: Net.Socket): boolean => handleOfSocket(socket) === null

/**
 * Whether the handle of a socket reads; `undefined` where it cannot be told to.
 *
 * - Reads: `_handle.reading` and `_handle.readStart` of a socket
 * - Where Node has it not: of a connection that is not read from, only a reset is noticed
 * - Pinned by: `test/adversarial/http1/leftUnread.test.ts`
 */
export const isReading = (socket: Net.Socket): boolean | undefined => {
  const handle = handleOfSocket(socket)
  return typeof handle?.readStart === "function" ? handle.reading : undefined
}

/**
 * Whether the peer has reset a connection that is not read from. The kernel says so to who asks for its name: Linux by
 * ENOTCONN, macOS by EINVAL.
 *
 * - Reads: `_handle.getpeername` of a socket
 * - Where Node has it not: it is noticed when something is written
 * - Pinned by: `test/adversarial/http1/leftUnread.test.ts`
 */
export const isReset = (socket: Net.Socket): boolean => {
  const error = handleOfSocket(socket)?.getpeername?.({}) ?? 0
  return error < 0 && ["ENOTCONN", "EINVAL"].includes(getSystemErrorName(error))
}

/**
 * Whether a socket has said that it is closed. `closed` is true before that.
 *
 * - Reads: `_readableState.closeEmitted` of a socket
 * - Where Node has it not: a connection whose close other code has kept from us is held until the deadline
 * - Pinned by: `test/adversarial/otherCode/socketClose.test.ts`
 */
export const hasSaidClosed = (socket: Net.Socket): boolean =>
  (socket as { readonly _readableState?: { readonly closeEmitted?: unknown } })._readableState?.closeEmitted === true

/**
 * Whether something that was written to a socket waits for the kernel.
 *
 * - Reads: `_handle.writeQueueSize` of a socket
 * - Where Node has it not: nothing waits; an answer of HTTP/2 counts as received when its stream has closed
 * - Pinned by: `test/scenarios/http2LateEnd.test.ts`
 */
export const hasQueuedWrites = (socket: Net.Socket): boolean => (handleOfSocket(socket)?.writeQueueSize ?? 0) > 0

/**
 * Whether the kernel has all that was ever written to a socket. Of what is still to be encrypted, nobody can tell.
 *
 * - Reads: `_handle.writeQueueSize` and `_handle.bytesWritten` of a socket
 * - Where Node has it not: an answer that is cut as it is written counts as cut
 * - Pinned by: `test/property/found/writtenAsItIsCut.ts`
 */
export const isWritten = (socket: Net.Socket): boolean => {
  const handle = handleOfSocket(socket)
  const isEncrypted = "encrypted" in socket && socket.encrypted === true
  return !isEncrypted && handle?.writeQueueSize === 0 && handle.bytesWritten === socket.bytesWritten
}

/**
 * Whether the end of what the peer sends has been read, also where data before it waits for a reader.
 *
 * - Reads: `_readableState.ended` of a socket
 * - Where Node has it not: it has not been read until `readableEnded` says so
 * - Pinned by: `test/adversarial/http1/leftUnread.test.ts`
 */
export const hasReadEnd = (socket: Net.Socket): boolean =>
  (socket as { readonly _readableState?: { readonly ended?: boolean } })._readableState?.ended === true

/**
 * Whether Node reads no further requests, while a pipelined client has more answers to come than it takes.
 *
 * - Reads: `_paused` of a socket
 * - Where Node has it not: reading goes on
 * - Pinned by: `test/scenarios/pipelined.test.ts`
 */
export const isPausedByNode = (socket: Net.Socket): boolean =>
  (socket as { readonly _paused?: boolean })._paused === true

/**
 * The socket below one of TLS, which was accepted.
 *
 * - Reads: `_parent` of a socket of TLS
 * - Where Node has it not: a connection is known from the end of its handshake on, as another one
 * - Pinned by: `test/adversarial/http2/tls.test.ts`
 */
export const rawSocketOf = (socket: Net.Socket | undefined): Net.Socket | undefined =>
  (socket as { readonly _parent?: Net.Socket | null } | undefined)?._parent ?? undefined

/** A server as its sockets know it: what only one of HTTP/1.1 has may be missing. */
export interface AcceptingServer extends Net.Server {
  readonly keepAliveTimeout?: number
}

/**
 * The server that has accepted a socket.
 *
 * - Reads: `server` of a socket
 * - Where Node has it not: no connection is in the middle of a message, its last answer has promised nothing unless its
 *   head says so, and the methods of one Node server that close connections close none
 * - Pinned by: `test/adversarial/otherCode/closers.test.ts`
 */
export const serverOf = (socket: Net.Socket): AcceptingServer | undefined =>
  (socket as { readonly server?: AcceptingServer | null }).server ?? undefined

/**
 * The server that has accepted a socket, also where it was passed on to another one.
 *
 * - Reads: `_server` of a socket
 * - Where Node has it not: a server is watched until its last connection has closed, whoever has accepted that
 * - Pinned by: `test/adversarial/sharedSockets/passedOn.test.ts`
 */
export const acceptedBy = (socket: Net.Socket): Net.Server | undefined =>
  (socket as { readonly _server?: Net.Server | null })._server ?? undefined

/**
 * Whether the server of a socket lets its clients end their side before they have their answer.
 *
 * - Reads: `server.httpAllowHalfOpen` of a socket
 * - Where Node has it not: who has ended his side has left
 * - Pinned by: `test/adversarial/otherCode/destroyers.test.ts`
 */
export const allowsHalfOpen = (socket: Net.Socket): boolean =>
  (serverOf(socket) as { readonly httpAllowHalfOpen?: boolean } | undefined)?.httpAllowHalfOpen === true

/**
 * The response that is being written to a socket.
 *
 * - Reads: `_httpMessage` of a socket
 * - Where Node has it not: a request that was in flight when its server was adopted is not awaited
 * - Pinned by: `test/adversarial/http2/adopted.test.ts`
 */
export const responseBeingWritten = (socket: Net.Socket): Http.ServerResponse | undefined =>
  (socket as { readonly _httpMessage?: Http.ServerResponse | null })._httpMessage ?? undefined

// The parser of HTTP/1.1

/** Node's parser. It calls its callbacks, whose numbers differ between versions. */
export interface Parser {
  execute?: (data: Uint8Array) => unknown
  pause?: () => void
  [callback: number]: unknown
}

/**
 * The parser of what is read from a socket.
 *
 * - Reads: `parser` of a socket
 * - Where Node has it not: no connection is in the middle of a message, and a request behind an unused upgrade is
 *   dropped, as by Node
 * - Pinned by: `test/scenarios/halfRequests.test.ts`, `test/scenarios/upgrades/notSpoken.test.ts`
 */
export const parserOf = (socket: Net.Socket): Parser | undefined =>
  (socket as { readonly parser?: Parser | null }).parser ?? undefined

/**
 * Whether a parser reads from the handle by itself, without JavaScript; `undefined` where Node does not say.
 *
 * - Reads: `_consumed` of a parser
 * - Where Node has it not: a request behind an unused upgrade is dropped, as by Node, and nothing is read ahead of a
 *   connection whose requests wait
 * - Pinned by: `test/scenarios/upgrades/notSpoken.test.ts`, `test/adversarial/http1/leftUnread.test.ts`
 */
export const readsByItself = (parser: Parser): boolean | undefined =>
  (parser as { readonly _consumed?: boolean })._consumed

/**
 * The request whose head a parser has read last.
 *
 * - Reads: `incoming` of a parser
 * - Where Node has it not: no request asks for an upgrade
 * - Pinned by: `test/scenarios/upgrades/notSpoken.test.ts`
 */
export const incomingOf = (parser: Parser): Http.IncomingMessage | undefined =>
  (parser as { readonly incoming?: Http.IncomingMessage | null }).incoming ?? undefined

/**
 * What a parser that reads by itself is parsing; `undefined` where it cannot be asked.
 *
 * - Reads: `getCurrentBuffer` of a parser
 * - Where Node has it not: what follows an unused upgrade in the same read is dropped, as by Node
 * - Pinned by: `test/scenarios/upgrades/notSpoken.test.ts`
 */
export const currentBufferOf = (parser: Parser): (() => Uint8Array) | undefined => {
  const { getCurrentBuffer } = parser as { readonly getCurrentBuffer?: () => Uint8Array }
  return typeof getCurrentBuffer === "function" ? () => getCurrentBuffer.call(parser) : undefined
}

/** How many numbers a parser has for its callbacks, at the most. */
const callbacks = 10

/**
 * The number under which a parser that reads by itself has what it calls with how much of a read it has parsed.
 *
 * - Reads: the callback of a parser whose name is `bound onParserExecute`
 * - Where Node has it not: what follows an unused upgrade in the same read is dropped, as by Node
 * - Pinned by: `test/scenarios/upgrades/notSpoken.test.ts`
 */
export const executedIndexOf = (parser: Parser): number | undefined => {
  for (let index = 0; index < callbacks; index++) {
    const callback = parser[index]
    if (typeof callback === "function" && callback.name === "bound onParserExecute") return index
  }
  return undefined
}

/**
 * Whether a request is handed over as an upgrade, or asks for one while that is still to be decided.
 *
 * - Reads: `upgrade` of a request
 * - Where Node has it not: no request asks for one
 * - Pinned by: `test/scenarios/upgrades/notSpoken.test.ts`
 */
export const isUpgrade = (request: Http.IncomingMessage | undefined): boolean =>
  (request as { readonly upgrade?: unknown } | undefined)?.upgrade === true

/**
 * The socket whose data Node parses now: it runs its parser in the context of a resource that knows it.
 *
 * - Reads: `socket` of the resource of the current asynchronous context
 * - Where Node has it not: all requests that ask for an upgrade are handed over as one, as by Node
 * - Pinned by: `test/scenarios/upgrades/notSpoken.test.ts`
 */
export const socketBeingParsed = (): Net.Socket | undefined =>
  (executionAsyncResource() as { readonly socket?: Net.Socket | null }).socket ?? undefined

// Messages

/**
 * The head of a response as it goes out.
 *
 * - Reads: `_header` of a response
 * - Where Node has it not: it is put together of the headers that were set, and promises what its server does
 * - Pinned by: `test/scenarios/eventStreams/whichEnd.test.ts`
 */
export const headOf = (response: Http.ServerResponse): string | undefined => {
  const { _header: head } = response as { readonly _header?: unknown }
  return typeof head === "string" ? head : undefined
}

/**
 * Whether Node keeps what has been written of a response: its head until the first bytes of its body, and all of an
 * answer that was given before its turn (pipelining).
 *
 * - Reads: `_headerSent` and `outputSize` of a response
 * - Where Node has it not: a head that was given to Node counts as sent
 * - Pinned by: `test/property/found/keptAnswer.ts`
 */
export const isKept = (response: Http.ServerResponse): boolean => {
  const { _headerSent, outputSize } = response as { readonly _headerSent?: boolean; readonly outputSize?: number }
  return _headerSent === false || (outputSize ?? 0) > 0
}

/**
 * Whether the head of a response has not left its socket's stream: that is corked to the end of the turn in which a
 * handler writes, and keeps what the kernel does not take yet.
 *
 * - Reads: `_writableState.getBuffer()` of a socket
 * - Where Node has it not: a response that is cut in the turn in which it begins counts as truncated
 * - Pinned by: `test/property/found/cutAsItBegins.ts`
 */
export const isHeadWaiting = (socket: Net.Socket, response: Http.ServerResponse): boolean => {
  const { _writableState: state } = socket as {
    readonly _writableState?: { readonly getBuffer?: () => ReadonlyArray<{ readonly chunk?: unknown }> }
  }
  const waiting = state?.getBuffer?.() ?? []
  const head = waiting.length === 0 ? undefined : headOf(response)
  return head !== undefined && waiting.some(({ chunk }) => typeof chunk === "string" && chunk.startsWith(head))
}

/**
 * How often a response has been corked.
 *
 * - Reads: `[corked]` of a response
 * - Where Node has it not: an event stream that is ended while it is corked is ended by the deadline
 * - Pinned by: `test/scenarios/eventStreams/handler.test.ts`
 */
export const corksOf = (response: Http.ServerResponse): number => {
  const corked = symbolNamed(response, "corked")
  return typeof corked === "number" ? corked : 0
}

/**
 * What is to be called back when a response has been sent. Before it was kept in a list, those were listeners for
 * `finish`.
 *
 * - Reads: `[kEndCallbacks]` of a response
 * - Node: 24.20, 26
 * - Where Node has it not: the `once` listeners for `finish` are called
 * - Pinned by: `test/conformance/guarantees/awaitedAnswers.test.ts`
 */
export const endCallbacksOf = (response: object): Array<unknown> | undefined => {
  const kept = symbolNamed(response, "kEndCallbacks")
  return Array.isArray(kept) ? kept : undefined
}

/**
 * What aborts the `signal` of a request.
 *
 * - Reads: `[kAbortController]` of a request
 * - Node: 24.22, 26
 * - Where Node has it not: a request has no `signal`
 * - Pinned by: `test/scenarios/eventStreams/handler.test.ts`
 */
export const abortControllerOf = (request: Http.IncomingMessage): AbortController | undefined => {
  const controller = symbolNamed(request, "kAbortController")
  return controller instanceof AbortController ? controller : undefined
}

/** What both versions of HTTP call by the same names. */
export interface Writer {
  readonly writableEnded: boolean
  write: (...args: Array<never>) => unknown
  end: (...args: Array<never>) => unknown
}

/**
 * The response that a `request` listener was given for a stream of HTTP/2.
 *
 * - Reads: `[response]` of a stream
 * - Where Node has it not: only what is written to the stream itself is known to have been ended early
 * - Pinned by: `test/scenarios/eventStreams/handler.test.ts`
 */
export const responseOf = (stream: Http2.ServerHttp2Stream): Writer & { end: () => unknown } | undefined => {
  const response = symbolNamed(stream, "response")
  return isWriter(response) ? response : undefined
}

const isWriter = (value: unknown): value is Writer & { end: () => unknown } =>
  typeof value === "object" && value !== null && "write" in value && "end" in value
  && typeof value.write === "function" && typeof value.end === "function" && "writableEnded" in value

// The process

/**
 * What keeps the process alive: sockets, servers, children.
 *
 * - Reads: `process._getActiveHandles`
 * - Where Node has it not: the log names kinds of them, by `process.getActiveResourcesInfo`
 * - Pinned by: `test/adversarial/otherCode/processEnd.test.ts`
 */
export const activeHandles = (): ReadonlyArray<unknown> => {
  const { _getActiveHandles: handles } = process as { readonly _getActiveHandles?: () => ReadonlyArray<unknown> }
  return typeof handles === "function" ? handles.call(process) : [process.stdout, process.stderr]
}

/**
 * By what name `process.getActiveResourcesInfo` has a stream.
 *
 * - Reads: the name of the class of `_handle` of a stream
 * - Where Node has it not: the log says that a terminal or a pipe keeps the process alive, also where that is an output
 * - Pinned by: `test/adversarial/otherCode/processEnd.test.ts`
 */
export const kindOf = (stream: object): string => {
  const { _handle: handle } = stream as { readonly _handle?: object | null }
  if (typeof handle !== "object" || handle === null) return ""
  const { name } = handle.constructor
  return name === "TCP" ? "TCPSocketWrap" : name.endsWith("Wrap") ? name : `${name}Wrap`
}

/**
 * Whether what keeps the process alive is a pipe that no stream has: Node reads the messages of a parent from it.
 *
 * - Reads: the name of the class of one of `activeHandles`
 * - Where Node has it not: the channel to a parent process is named in the log as a pipe
 * - Pinned by: `test/adversarial/otherCode/processEnd.test.ts`
 */
export const isPipe = (handle: object): boolean => handle.constructor.name === "Pipe"

/**
 * Whether a worker thread is one of Node's own, as that in which hooks of `node:module` run.
 *
 * - Reads: the name of the class of a worker thread, `InternalWorker`
 * - Where Node has it not: the log says of that thread, too, that servers in it would not be drained
 * - Pinned by: `test/e2e/register/threads.test.ts`
 */
export const isInternalThread = (worker: Worker): boolean => worker.constructor.name === "InternalWorker"

/**
 * Whether a listener for `error` of the standard output or error is Node's own: its console has one while it writes, and
 * that of a stream which is piped there raises the error where it is the only one.
 *
 * - Reads: the names of Node's own listeners, `noop` and `onerror`
 * - Where Node has it not: an output that fails while it is piped to ends the process
 * - Pinned by: `test/modules/telemetry/outputFails.test.ts`
 */
export const isErrorListenerOfNode = ({ name }: { readonly name: string }): boolean =>
  name === "noop" || name === "onerror"

// What libraries keep on objects of Node, and on their own

/**
 * The WebSocket of `ws` that a socket carries, and so that of all that is built on `ws`. It is there once the upgrade has
 * been answered.
 *
 * - Reads: `[websocket]` of a socket
 * - Where ws has it not: the peer is told by a frame of ours
 * - Pinned by: `test/e2e/clients/ws.test.ts`
 */
export const webSocketOf = (socket: Net.Socket): WebSocketOfWs | undefined => {
  const webSocket = symbolNamed(socket, "websocket")
  return isWebSocket(webSocket) ? webSocket : undefined
}

/** The methods of it that we call. `send` does nothing that could throw once it is open. */
export interface WebSocketOfWs {
  readonly close: (code: number, reason: string) => void
  readonly send: (message: string | Uint8Array) => void
}

const isWebSocket = (value: unknown): value is WebSocketOfWs =>
  typeof value === "object" && value !== null && "close" in value && typeof value.close === "function"
  && "send" in value && typeof value.send === "function"

/**
 * The servers that fastify makes beside its first one, for each further address of `localhost`.
 *
 * - Reads: `[fastify.serverBindings]` of an app
 * - Where fastify has it not: only the first one is drained
 * - Pinned by: `test/modules/promise/fastify.test.ts`
 */
export const serverBindingsOf = (framework: object): Array<unknown> | undefined => {
  const bindings = symbolNamed(framework, "fastify.serverBindings")
  return Array.isArray(bindings) ? bindings : undefined
}
