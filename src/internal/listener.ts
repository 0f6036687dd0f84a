/**
 * Binding a Node server, watching what it emits, and closing it without losing what the kernel has queued.
 */
import type * as HttpServer from "@effect/platform/HttpServer"
import * as Effect from "effect/Effect"
import * as Inspectable from "effect/Inspectable"
import * as Fs from "node:fs"
import * as Http from "node:http"
import type * as Http2 from "node:http2"
import * as Https from "node:https"
import * as Net from "node:net"
import * as Path from "node:path"
import * as Tls from "node:tls"
import { ListenError, type NodeServer, type Options } from "../Listener.js"
import * as AcceptQueue from "./acceptQueue.js"
import { CurrentHandover } from "./handover.js"
import { hidden } from "./hidden.js"
import { clip } from "./progress.js"

/** What a Node server tells us about, before its own listeners, which do not hear of it if we say `false`. */
export interface Watcher {
  readonly connection: (socket: Net.Socket) => void
  readonly secureConnection: (socket: Tls.TLSSocket) => void
  readonly session: (session: Http2.ServerHttp2Session) => void
  readonly stream: (stream: Http2.ServerHttp2Stream, headers: Http2.IncomingHttpHeaders) => boolean
  readonly request: (request: Http.IncomingMessage, response: Http.ServerResponse) => boolean
  /** The server's own listeners have seen the request. */
  readonly answer: (request: Http.IncomingMessage, response: Http.ServerResponse) => boolean
  /** Nobody listens for requests: answers in place of a handler. */
  readonly unheard: (response: Http.ServerResponse) => void
  /** A connection that was there before its server was adopted owes nobody an answer. */
  readonly resting: (socket: Net.Socket) => void
  /** Answers ask their clients to leave. */
  readonly isClosing: () => boolean
  /** A shutdown has begun. */
  readonly isStopping: () => boolean
  /** The deadline has passed. */
  readonly isTooLate: () => boolean
  readonly refuse: (response: Http.ServerResponse) => void
  readonly refuseStream: (stream: Http2.ServerHttp2Stream) => void
  /** The owner of an adopted server wants it closed. */
  readonly closeCalled: () => void
  readonly upgrade: (
    event: "upgrade" | "connect",
    request: Http.IncomingMessage,
    socket: Net.Socket,
    head: Buffer
  ) => boolean
  readonly clientError: (error: Error, socket: Net.Socket) => void
  readonly tlsClientError: (error: Error, socket: Tls.TLSSocket) => void
  readonly acceptFailed: (error: Error) => void
}

export interface Bound {
  readonly address: HttpServer.Address
  /** Stops accepting, once the kernel's queue has run dry. */
  readonly close: Effect.Effect<void>
  /** Stops accepting at once. */
  readonly closeNow: () => void
  /** Its scope has closed before its server: one that has never listened is its owner's again. */
  readonly letGo: () => void
}

/**
 * Binds `server`, and fails with what is wrong and what to do. In a program that may hand its sockets over, one that was
 * inherited listens when the predecessor lets it.
 */
export const bind = (
  server: NodeServer,
  options: Options,
  watcher: Watcher,
  now: () => number
): Effect.Effect<Bound, ListenError> =>
  Effect.flatMap(CurrentHandover, (handover) => {
    const place = handover?.place(options)
    const stop = closer(server)
    const closeNow = () => {
      place?.leave()
      stop()
    }
    const queue = AcceptQueue.make(server, closeNow, now)
    const address = () => place?.address ?? addressOf(server, options.fd)
    const bound = (): Bound => ({
      address: address(),
      // what is queued on an inherited descriptor is its other holders' too
      close: Effect.suspend(() => server.listening && options.fd === undefined ? queue.close : Effect.sync(closeNow)),
      closeNow,
      letGo: () => {}
    })
    const listen = Effect.async<void, ListenError>((resume) => {
      const fail = (cause: unknown) => {
        unwatch()
        resume(Effect.fail(explain(options, cause)))
      }
      const unusable = whyNotListen(server, options)
      if (unusable !== undefined) return resume(Effect.fail(unusable))
      const unwatch = watch(server, watcher, queue)
      const closedEarly = () => fail(new Error("the Node server was closed before it listened"))
      server.once("error", fail)
      server.once("close", closedEarly)
      const listening = () => {
        server.off("error", fail)
        server.off("close", closedEarly)
        try {
          place?.listening({ address: address(), server, closeNow })
        } catch (cause) {
          stop()
          return fail(cause)
        }
        // EMFILE and its like surface here, and would end the process
        server.on("error", watcher.acceptFailed)
        resume(Effect.void)
      }
      try {
        const where = place?.options ?? options
        if (isCutOff(where.path)) throw Object.assign(new Error("the path is too long"), { code: "ENAMETOOLONG" })
        server.listen(where, listening)
      } catch (cause) {
        server.off("error", fail)
        server.off("close", closedEarly)
        fail(cause)
      }
    })
    if (place === undefined || !place.isLater) return Effect.map(listen, bound)
    place.wait(listen)
    return Effect.sync(bound)
  })

/** Takes over a server that somebody else has made listen, or will. Whoever calls it has asked {@link whyNotAdopt}. */
export const adopt = (
  server: NodeServer,
  watcher: Watcher,
  now: () => number
): Effect.Effect<Bound> =>
  Effect.suspend(() => {
    const closeNow = closer(server)
    const queue = AcceptQueue.make(server, closeNow, now)
    const overrides: Array<readonly [string, unknown]> = [["close", function(this: NodeServer, callback?: unknown) {
      if (typeof callback === "function") {
        if (server.listening) server.once("close", () => callback())
        // it has stopped listening, and its connections are still there
        else server.getConnections((_, count) => count > 0 ? server.once("close", () => callback()) : callback())
      }
      watcher.closeCalled()
      return this
    }]]
    if ("closeIdleConnections" in server) {
      const { closeIdleConnections } = server
      // what the drain has not looked at is not idle
      overrides.push(["closeIdleConnections", () => {
        if (!watcher.isClosing()) closeIdleConnections.call(server)
      }])
    }
    const unwatch = watch(server, watcher, queue, overrides)
    let listened = false
    const listening = () => {
      listened = true
      server.on("error", watcher.acceptFailed)
      // it comes too late, and its owner asks for its address first
      if (watcher.isStopping()) setImmediate(closeNow)
    }
    if (server.listening) listening()
    else server.once("listening", listening)
    for (const socket of socketsOf(server)) adoptSocket(watcher, socket)
    return Effect.succeed({
      address: addressOf(server),
      close: Effect.suspend(() => server.listening ? queue.close : Effect.void),
      closeNow,
      letGo: () => {
        if (listened) return
        server.off("listening", listening)
        unwatch()
      }
    })
  })

/** Closes the listening socket alone: `http.Server#close` destroys what it takes to be idle, and stops the timeouts. */
const closer = (server: NodeServer) => () => {
  if (server.listening) Net.Server.prototype.close.call(server)
}

/** The Node servers that are listened with: a second watch would see every request twice. */
const watched = new WeakSet<Net.Server>()

/** Why `server` cannot be listened with, if it cannot: a program without types may pass anything. */
export const whyNotListen = (server: unknown, options: Options): ListenError | undefined => {
  const error = (field: string, value: string, cause: string, remedy: string) =>
    new ListenError({ reason: "InvalidOption", field, value, remedy, cause })
  if (!(server instanceof Net.Server)) {
    return error(
      "server",
      inWords(server),
      noServer,
      "Pass what `createServer` returns, awaited if it is a promise; a framework usually has it as its `server`."
    )
  }
  if (watched.has(server)) {
    return error("server", "this Node server", taken, "Make a new Node server for each listener.")
  }
  if (options.signal?.aborted === true) {
    return error("signal", "AbortSignal", "it is aborted already", "Listen before the signal is aborted.")
  }
  return undefined
}

/** Why `server` cannot be taken over, if it cannot, or not together with `others`. */
export const whyNotAdopt = (server: unknown, others: ReadonlyArray<unknown> = []): ListenError | undefined => {
  const error = (value: string, cause: string, remedy: string) =>
    new ListenError({ reason: "InvalidOption", operation: "take over", field: "server", value, remedy, cause })
  if (!(server instanceof Net.Server)) {
    return error(
      inWords(server),
      noServer,
      "Pass what `createServer` or `app.listen(…)` returns, awaited if it is a promise; for ws and socket.io, the Node "
        + "server that they are attached to."
    )
  }
  if (watched.has(server) || others.includes(server)) {
    return error("this Node server", taken, "quiesce() or adopt was already called with it; once is enough.")
  }
  return undefined
}

const noServer = "it is no server of node:http, node:https, node:http2, node:net or node:tls"
const taken = "it has been listened with or adopted before"

const inWords = (value: unknown): string => {
  if (value === undefined || value === null) return String(value)
  if (Array.isArray(value)) return value.length === 0 ? "an empty list" : "a list"
  if (typeof value === "function") return "a function (an express app?)"
  if (typeof value !== "object") return `a ${typeof value} (${clip(Inspectable.toStringUnknown(value), 60)})`
  if ("then" in value && typeof value.then === "function") return "a promise (await it)"
  return "server" in value ? "an object whose `server` is none" : "an object without `server`"
}

/** Whether a server speaks HTTP/2; only those have settings to update. */
export const isHttp2 = (server: NodeServer): boolean => "updateSettings" in server

/** Whether a server speaks HTTP at all. */
export const isHttp = (server: NodeServer): boolean =>
  server instanceof Http.Server || server instanceof Https.Server || isHttp2(server)

/** Node 20 listens on as much of a path as fits in a `sockaddr_un`, and says nothing. */
const isCutOff = (path: string | undefined): boolean =>
  path !== undefined && process.platform !== "win32"
  && Buffer.byteLength(path) > (process.platform === "linux" ? 107 : 103)

/**
 * Sees what the server emits, and decides what its listeners see. An event emitter calls its listeners one by one
 * and none can hold back an event from the next, which is what refusing a request takes; so `emit` itself is ours
 * until the server has closed.
 */
const watch = (
  server: NodeServer,
  watcher: Watcher,
  queue: AcceptQueue.AcceptQueue,
  overrides: ReadonlyArray<readonly [name: string, value: unknown]> = []
): () => void => {
  const { emit } = server
  watched.add(server)
  const deliver = (
    args: ReadonlyArray<unknown>,
    request: Http.IncomingMessage,
    response: Http.ServerResponse
  ): boolean => {
    const heard: boolean = Reflect.apply(emit, server, args)
    // whoever listens for the others answers them, or hands them on as a request
    if (args[0] !== "request") return heard
    if (!watcher.answer(request, response) && !heard) watcher.unheard(response)
    return true
  }
  let closed = false
  const watching = function(this: NodeServer, ...args: ReadonlyArray<unknown>): boolean {
    switch (args[0]) {
      case "request":
      case "checkContinue":
      case "checkExpectation": {
        const [, request, response] = args as unknown as [string, Http.IncomingMessage, Http.ServerResponse]
        // of HTTP/2: its stream has been looked at
        if (request.httpVersionMajor > 1) return deliver(args, request, response)
        if (!watcher.request(request, response)) return true
        const holding = queue.isHolding()
        if (!holding && !watcher.isClosing()) return deliver(args, request, response)
        const later = () => {
          // it may have been cut by now
          if (!request.socket.writable) return
          if (watcher.isTooLate()) watcher.refuse(response)
          else deliver(args, request, response)
        }
        // else when all that came with it has been parsed: an answer must know whether it is the last
        if (holding) queue.hold(later)
        else process.nextTick(later)
        return true
      }
      case "stream": {
        const [, stream, headers] = args as unknown as [
          string,
          Http2.ServerHttp2Stream,
          Http2.IncomingHttpHeaders
        ]
        if (!watcher.stream(stream, headers)) return true
        if (!queue.isHolding()) break
        // nobody listens yet for the error that a client may reset it with, which would end the process
        stream.on("error", ignore)
        queue.hold(() => {
          if (stream.destroyed) return
          if (watcher.isTooLate()) watcher.refuseStream(stream)
          else Reflect.apply(emit, server, args)
        })
        return true
      }
      case "session": {
        watcher.session(args[1] as Http2.ServerHttp2Session)
        break
      }
      case "connection": {
        queue.accepted()
        watcher.connection(args[1] as Net.Socket)
        break
      }
      case "secureConnection": {
        watcher.secureConnection(args[1] as Tls.TLSSocket)
        break
      }
      case "upgrade":
      case "connect": {
        const [event, request, socket, head] = args as unknown as Parameters<Watcher["upgrade"]>
        // CONNECT of HTTP/2 is a stream like any other
        if (request.httpVersionMajor > 1) break
        if (!watcher.upgrade(event, request, socket, head)) return true
        break
      }
      case "clientError": {
        watcher.clientError(args[1] as Error, args[2] as Net.Socket)
        break
      }
      case "tlsClientError": {
        watcher.tlsClientError(args[1] as Error, args[2] as Tls.TLSSocket)
        break
      }
      case "close": {
        if (closed) return false
        closed = true
        // its last connection is gone: only the class's own `close` stops the timer that looks for request timeouts
        Reflect.get(Object.getPrototypeOf(server), "close").call(server)
        setImmediate(unwatch)
        break
      }
    }
    return Reflect.apply(emit, this, args)
  }
  const restores = [["emit", watching] as const, ...overrides].map(([name, value]) => override(server, name, value))
  const unwatch = () => {
    watched.delete(server)
    server.off("error", watcher.acceptFailed)
    for (const restore of restores) restore()
  }
  return unwatch
}

const ignore = () => {}

/** Sets a property of a server; what is returned sets it back, unless somebody else has set it since. */
const override = (server: NodeServer, name: string, value: unknown): () => void => {
  const own = Object.getOwnPropertyDescriptor(server, name)
  Object.defineProperty(server, name, { value, configurable: true, enumerable: true, writable: true })
  return () => {
    if (Reflect.get(server, name) !== value) return
    if (own === undefined) Reflect.deleteProperty(server, name)
    else Object.defineProperty(server, name, own)
  }
}

/** The connections that a server has accepted before it was adopted, as far as Node keeps a list of them. */
const socketsOf = (server: NodeServer): ReadonlyArray<Net.Socket> => {
  const list = hidden(server, "http.server.connections") as {
    readonly all?: () => ReadonlyArray<{ readonly socket?: Net.Socket }>
  } | undefined
  return list?.all?.().flatMap(({ socket }) => socket ?? []) ?? []
}

const adoptSocket = (watcher: Watcher, socket: Net.Socket): void => {
  watcher.connection(socket)
  const { _httpMessage: response } = socket as { readonly _httpMessage?: Http.ServerResponse | null }
  if (response !== null && response !== undefined) watcher.request(response.req, response)
  else watcher.resting(socket)
}

const addressOf = (server: NodeServer, fd?: number): HttpServer.Address => {
  const address = server.address()
  // Node knows the path of a Unix socket only where it has bound it
  if (address === null && fd !== undefined && server.listening) return { _tag: "UnixAddress", path: `fd ${fd}` }
  return typeof address === "string" ?
    { _tag: "UnixAddress", path: address } :
    {
      _tag: "TcpAddress",
      hostname: address === null || address.address === "::" ? "0.0.0.0" : address.address,
      port: address?.port ?? 0
    }
}

const explain = (options: Options, cause: unknown): ListenError => {
  const code = (cause as { readonly code?: unknown } | null)?.code
  const where: "fd" | "path" | "host" | "port" = options.fd !== undefined
    ? "fd"
    : options.path !== undefined
    ? "path"
    : "port"
  const error = (reason: ListenError["reason"], field: keyof Options, remedy: string) =>
    new ListenError({ reason, field, value: options[field], remedy, cause })
  // libuv says EACCES of a directory that does not exist, as Windows does
  const missing = code === "EACCES" && options.path !== undefined && !Fs.existsSync(Path.dirname(options.path))
  switch (missing ? "ENOENT" : code) {
    case "EADDRINUSE":
      return error(
        "AddressInUse",
        where,
        where === "path"
          ? "If no process listens on that socket any more, remove the file; else choose another path."
          : "Stop the process that listens there, or choose another port (0 takes a free one)."
      )
    case "EADDRNOTAVAIL":
      return error(
        "AddressNotAvailable",
        "host",
        "Choose an address that this machine has, such as 127.0.0.1 or 0.0.0.0."
      )
    case "ENOTFOUND":
    case "EAI_AGAIN":
      return error("AddressNotAvailable", "host", "Choose a name that resolves on this machine, or an address.")
    case "EACCES":
    case "EPERM":
      return error(
        "PermissionDenied",
        where,
        where === "path"
          ? "Choose a directory that this user may write to."
          : "Choose a port above 1023, or give the process the right to bind it."
      )
    case "ENOENT":
    case "ENOTDIR":
      return error("NotFound", where, "Create the directory first; the socket itself must not exist.")
    case "EROFS":
      return error("PermissionDenied", where, "Choose a path on a file system that can be written to.")
    case "EINVAL":
    case "ENAMETOOLONG":
      return error(
        "InvalidOption",
        where,
        where === "path"
          ? "A socket's path may have about 100 bytes; choose a shorter one."
          : "See the options of net.Server#listen."
      )
    case "ERR_SOCKET_BAD_PORT":
      return error("InvalidOption", "port", "A port is a whole number from 0 to 65535.")
    case "EBADF":
    case "ENOTSOCK":
      return error("InvalidOption", where, "Pass a descriptor that is a bound stream socket, as LISTEN_FDS does.")
    default:
      return error(
        typeof code === "string" && code.startsWith("ERR_INVALID") ? "InvalidOption" : "Unknown",
        where,
        "See the options of net.Server#listen."
      )
  }
}
