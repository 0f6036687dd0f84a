/**
 * Binding a Node server, watching what it emits, and closing it without losing what the kernel has queued.
 */
import type * as HttpServer from "@effect/platform/HttpServer"
import * as Effect from "effect/Effect"
import * as Fs from "node:fs"
import * as Http from "node:http"
import * as Net from "node:net"
import * as Path from "node:path"
import * as Tls from "node:tls"
import { ListenError, type Options } from "../Listener.js"
import * as AcceptQueue from "./acceptQueue.js"

/** What a Node server tells us about, before its own listeners, which do not hear of it if we say `false`. */
export interface Watcher {
  readonly connection: (socket: Net.Socket) => void
  readonly request: (request: Http.IncomingMessage, response: Http.ServerResponse) => boolean
  /** The server's own listeners have seen the request. */
  readonly answer: (request: Http.IncomingMessage, response: Http.ServerResponse) => boolean
  /** Answers ask their clients to leave. */
  readonly isClosing: () => boolean
  /** Answers a request whose time has come too late to be handled. */
  readonly isTooLate: (response: Http.ServerResponse) => boolean
  readonly upgrade: (
    event: "upgrade" | "connect",
    request: Http.IncomingMessage,
    socket: Net.Socket,
    head: Buffer
  ) => boolean
  readonly clientError: (error: Error, socket: Net.Socket) => void
  readonly acceptFailed: (error: Error) => void
}

export interface Bound {
  readonly address: HttpServer.Address
  /** Stops accepting, once the kernel's queue has run dry. */
  readonly close: Effect.Effect<void>
  /** Stops accepting at once. */
  readonly closeNow: () => void
}

/** Binds `server`, and fails with what is wrong and what to do. */
export const bind = (
  server: Http.Server,
  options: Options,
  watcher: Watcher,
  now: () => number
): Effect.Effect<Bound, ListenError> =>
  Effect.async<Bound, ListenError>((resume) => {
    let open = true
    const closeNow = () => {
      // not `http.Server#close`: it destroys what it takes to be idle, and stops the request timeouts
      if (open) Net.Server.prototype.close.call(server)
      open = false
    }
    const queue = AcceptQueue.make(server, closeNow, now)
    const fail = (cause: unknown) => {
      unwatch()
      resume(Effect.fail(explain(options, cause)))
    }
    const unusable = whyNot(server, options)
    if (unusable !== undefined) return resume(Effect.fail(unusable))
    const unwatch = watch(server, watcher, queue)
    const closedEarly = () => fail(new Error("the Node server was closed before it listened"))
    server.once("error", fail)
    server.once("close", closedEarly)
    const bound = () => {
      server.off("error", fail)
      server.off("close", closedEarly)
      // EMFILE and its like surface here, and would end the process
      server.on("error", watcher.acceptFailed)
      resume(Effect.succeed({
        address: addressOf(server),
        // what is queued on an inherited descriptor is its other holders' too
        close: Effect.suspend(() => server.listening && options.fd === undefined ? queue.close : Effect.sync(closeNow)),
        closeNow
      }))
    }
    try {
      if (isCutOff(options.path)) throw Object.assign(new Error("the path is too long"), { code: "ENAMETOOLONG" })
      server.listen(options, bound)
    } catch (cause) {
      server.off("error", fail)
      server.off("close", closedEarly)
      fail(cause)
    }
  })

/** The Node servers that are listened with: a second watch would see every request twice. */
const watched = new WeakSet<Http.Server>()

const whyNot = (server: Http.Server, options: Options): ListenError | undefined => {
  const error = (field: string, value: string, cause: string, remedy: string) =>
    new ListenError({ reason: "InvalidOption", field, value, remedy, cause })
  if (server instanceof Tls.Server) {
    return error(
      "server",
      "https.Server",
      "TLS is not supported yet",
      "Let a proxy speak TLS, or serve with @effect/platform-node until it is."
    )
  }
  if (watched.has(server)) {
    return error("server", "http.Server", "it has been listened with", "Make a new Node server for each listener.")
  }
  if (options.signal?.aborted === true) {
    return error("signal", "AbortSignal", "it is aborted already", "Listen before the signal is aborted.")
  }
  return undefined
}

/** Node 20 listens on as much of a path as fits in a `sockaddr_un`, and says nothing. */
const isCutOff = (path: string | undefined): boolean =>
  path !== undefined && process.platform !== "win32"
  && Buffer.byteLength(path) > (process.platform === "linux" ? 107 : 103)

/**
 * Sees what the server emits, and decides what its listeners see. An event emitter calls its listeners one by one
 * and none can hold back an event from the next, which is what refusing a request takes; so `emit` itself is ours
 * until the server has closed.
 */
const watch = (server: Http.Server, watcher: Watcher, queue: AcceptQueue.AcceptQueue): () => void => {
  const own = Object.getOwnPropertyDescriptor(server, "emit")
  const { emit } = server
  watched.add(server)
  const unwatch = () => {
    watched.delete(server)
    server.off("error", watcher.acceptFailed)
    if (own === undefined) Reflect.deleteProperty(server, "emit")
    else Object.defineProperty(server, "emit", own)
  }
  const deliver = (
    args: [string, ...Array<unknown>],
    request: Http.IncomingMessage,
    response: Http.ServerResponse
  ): boolean => {
    const heard = Reflect.apply(emit, server, args)
    // whoever listens for the others answers them, or hands them on as a request
    return args[0] === "request" ? watcher.answer(request, response) || heard : heard
  }
  let closed = false
  server.emit = function(this: Http.Server, ...args: [string, ...Array<unknown>]): boolean {
    switch (args[0]) {
      case "request":
      case "checkContinue":
      case "checkExpectation": {
        const [, request, response] = args as unknown as [string, Http.IncomingMessage, Http.ServerResponse]
        if (!watcher.request(request, response)) return true
        const holding = queue.isHolding()
        if (!holding && !watcher.isClosing()) return deliver(args, request, response)
        const later = () => {
          // it may have been cut by now
          if (request.socket.writable && !watcher.isTooLate(response)) deliver(args, request, response)
        }
        // else when all that came with it has been parsed: an answer must know whether it is the last
        if (holding) queue.hold(later)
        else process.nextTick(later)
        return true
      }
      case "connection": {
        queue.accepted()
        watcher.connection(args[1] as Net.Socket)
        break
      }
      case "upgrade":
      case "connect": {
        const [event, request, socket, head] = args as unknown as Parameters<Watcher["upgrade"]>
        if (!watcher.upgrade(event, request, socket, head)) return true
        break
      }
      case "clientError": {
        watcher.clientError(args[1] as Error, args[2] as Net.Socket)
        break
      }
      case "close": {
        if (closed) return false
        closed = true
        // its last connection is gone: only `http.Server#close` stops the timer that looks for request timeouts
        Http.Server.prototype.close.call(server)
        setImmediate(unwatch)
        break
      }
    }
    return Reflect.apply(emit, this, args)
  }
  return unwatch
}

const addressOf = (server: Http.Server): HttpServer.Address => {
  const address = server.address()
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
