/**
 * Why a server cannot be listened with or taken over, and what to do about it.
 */
import * as Inspectable from "effect/Inspectable"
import * as Fs from "node:fs"
import * as Net from "node:net"
import * as Path from "node:path"
import { ListenError, type Options } from "../model/listener.js"
import { clip } from "../model/text.js"
import { isOfBun } from "../node/httpServers.js"
import { hasLookedUpHost } from "../node/internals.js"
import { bun } from "../node/runtime.js"
import { listenNames, suggestion, unknownOption } from "../policy/optionNames.js"
import { isWatched } from "./nodeEvents.js"
import { isOwnAddress } from "./ownAddresses.js"

/** An option that cannot be as it is. */
export const invalidOption = (field: string, value: unknown, cause: string, remedy: string): ListenError =>
  new ListenError({ reason: "InvalidOption", field, value, remedy, cause })

/** The first option that there is not, if there is one. */
export const wrongListenOption = (options: unknown, known = listenNames): ListenError | undefined => {
  if (typeof options !== "object" || options === null) {
    return invalidOption("options", options, "it is no object", "Pass an object of options, such as { port: 3000 }.")
  }
  const wrong = unknownOption(options, known)
  return wrong && invalidOption(
    wrong.name,
    wrong.value,
    "there is no such option",
    `Leave it out${suggestion(wrong.name, known)}.`
  )
}

/** Why `server` cannot be listened with, if it cannot: a program without types may pass anything. */
export const whyNotListen = (server: unknown, options: Options): ListenError | undefined => {
  const error = (field: string, value: string, cause: string, remedy: string) =>
    new ListenError({ reason: "InvalidOption", field, value, remedy, cause })
  if (isOfBun(server)) return error("server", servedByBun, unseenOf(bun()), insteadOfBun)
  if (!(server instanceof Net.Server)) {
    return error(
      "server",
      inWords(server),
      noServer,
      whereItIs(server)
        ?? "Pass what `createServer` returns, awaited if it is a promise; a framework usually has it as its `server`."
    )
  }
  if (isWatched(server)) {
    return error("server", "this Node server", taken, "Make a new Node server for each listener.")
  }
  if (server.listening) {
    return error(
      "server",
      "this Node server",
      "it listens already",
      "Leave out its `listen`, and say where in the options: () => createServer(), { port: 3000 }. One that somebody "
        + "else listens with is taken over by Server.adopt."
    )
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
  if (isOfBun(server)) return error(servedByBun, unseenOf(bun()), insteadOfBun)
  if (!(server instanceof Net.Server)) {
    return error(
      inWords(server),
      noServer,
      whereItIs(server)
        ?? "Pass what `createServer` or `app.listen(…)` returns, awaited if it is a promise; for ws and socket.io, the "
          + "Node server that they are attached to."
    )
  }
  if (isWatched(server) || others.includes(server)) {
    return error("this Node server", taken, "quiesce() or adopt was already called with it; once is enough.")
  }
  return undefined
}

const servedByBun = "a server of node:http or node:https"
/** Measured with Bun 1.4: `npm run runtimes`. */
const unseenOf = (runtime = "this runtime") =>
  `${runtime} does not make it with node:net. Its connections are not seen before their first request, and its own `
  + "`close` cuts requests"
const insteadOfBun = "Run this program with Node or Deno. Or, with TLS, listen with createSecureServer({ key, cert, "
  + "allowHTTP1: true }) of node:http2, which speaks HTTP/1.1 as well and drains under Bun."

const noServer = "it is no server of node:http, node:https, node:http2, node:net or node:tls"
const taken = "it has been listened with or adopted before"

/** Where the things that people pass have their Node server. */
const whereItIs = (value: unknown): string | undefined => {
  if (value === null || (typeof value !== "object" && typeof value !== "function")) return undefined
  const has = (name: string) => typeof Reflect.get(value, name) === "function"
  const holds = (name: string) => Reflect.get(value, name) instanceof Net.Server
  for (const name of ["server", "listener", "httpServer", "_server"]) {
    if (holds(name)) return `Pass its \`${name}\`, which is the Node server.`
  }
  if (has("getHttpServer")) return "Pass what its `getHttpServer()` returns, once it listens."
  if (has("fetch") && !has("listen")) return "Pass what `serve({ fetch: app.fetch })` of @hono/node-server returns."
  if (!has("listen")) return undefined
  return "server" in value
    ? "It has its Node server once it listens: call its `listen`, and pass its `server` then."
    : "It has no Node server yet: pass what its `listen(…)` returns."
}

const inWords = (value: unknown): string => {
  if (value === undefined || value === null) return String(value)
  if (Array.isArray(value)) return value.length === 0 ? "an empty list" : "a list"
  if (typeof value === "function") return "a function (an express app?)"
  if (typeof value !== "object") return `a ${typeof value} (${clip(Inspectable.toStringUnknown(value), 60)})`
  if ("then" in value && typeof value.then === "function") return "a promise (await it)"
  if ("listen" in value && typeof value.listen === "function") return "an app that is no Node server itself"
  return "server" in value ? "an object whose `server` is none" : "an object without `server`"
}

/**
 * What the user's function has made, or why it could not: what a file system or OpenSSL says of a certificate is no
 * defect of the program.
 */
export const makeNodeServer = <A>(evaluate: () => A): A | ListenError => {
  try {
    return evaluate()
  } catch (cause) {
    const { code, path } = cause as { readonly code?: unknown; readonly path?: unknown }
    if (typeof code !== "string") throw cause
    const error = (reason: ListenError["reason"], what: string, remedy: string) =>
      new ListenError({ reason, field: "server", value: what, remedy, cause })
    const file = typeof path === "string" ? `the file ${JSON.stringify(path)}` : "the Node server"
    switch (code) {
      case "ENOENT":
      case "ENOTDIR":
      case "EISDIR":
        return error("NotFound", file, "Name a file that exists; a relative path begins in the working directory.")
      case "EACCES":
      case "EPERM":
        return error("PermissionDenied", file, "Let the user that this process runs as read it (chmod, chown).")
    }
    if (!/^ERR_(OSSL|SSL|TLS|CRYPTO)/.test(code)) throw cause
    return error(
      "InvalidOption",
      "the certificate",
      "Pass key and cert as PEM (or a pfx), which belong together, with the passphrase if the key has one: "
        + "`openssl x509 -in cert.pem -noout` and `openssl pkey -in key.pem -noout` tell which of them is wrong."
    )
  }
}

/**
 * Whether its `listen` has been called, as far as can be known: of calls that have a host to look up. One that has
 * listened before may only seem so.
 */
export const seemsToStart = (server: unknown): boolean =>
  server instanceof Net.Server && !server.listening && hasLookedUpHost(server)

/** What the system has said, in the words of the options. */
export const explain = (options: Options, cause: unknown): ListenError => {
  const code = codeOf(options, cause)
  const where = whereOf(options)
  const error = (reason: ListenError["reason"], field: keyof Options, remedy: string) =>
    new ListenError({ reason, field, value: options[field], remedy, cause })
  switch (code) {
    case "EADDRINUSE":
      return error("AddressInUse", where, remedyInUse(options, where))
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
      return error("PermissionDenied", where, remedyDenied(where))
    case "ENOENT":
    case "ENOTDIR":
      return error("NotFound", where, "Create the directory first; the socket itself must not exist.")
    case "EROFS":
      return error("PermissionDenied", where, "Choose a path on a file system that can be written to.")
    case "EINVAL":
    case "ENAMETOOLONG":
      return error("InvalidOption", where, remedyInvalid(where))
    case "ERR_SOCKET_BAD_PORT":
      return error("InvalidOption", "port", "A port is a whole number from 0 to 65535.")
    case "EMFILE":
    case "ENFILE":
      return error(
        "Unknown",
        where,
        "Too many files are open: raise the limit (ulimit -n, systemd's LimitNOFILE), or close what has leaked."
      )
    case "EBADF":
    case "ENOTSOCK":
      return error("InvalidOption", where, "Pass a descriptor that is a bound stream socket, as LISTEN_FDS does.")
    default:
      return error(
        typeof code === "string" && code.startsWith("ERR_INVALID") ? "InvalidOption" : "Unknown",
        where,
        options[where] === undefined ? sayWhere : seeOptions
      )
  }
}

/** The code of what was thrown, where libuv says the right one: it says EACCES of a missing directory, as Windows does. */
const codeOf = ({ path }: Options, cause: unknown): unknown => {
  const code = (cause as { readonly code?: unknown } | null)?.code
  return code === "EACCES" && path !== undefined && !Fs.existsSync(Path.dirname(path)) ? "ENOENT" : code
}

/** The option that says where to listen. */
type Where = "fd" | "path" | "port"

const whereOf = ({ fd, path }: Options): Where => fd !== undefined ? "fd" : path !== undefined ? "path" : "port"

const remedyInUse = (options: Options, where: Where): string =>
  isOwnAddress(options)
    ? "This process listens there itself: a layer that is built twice listens twice. Share one layer (the same value, "
      + `provided once), or choose another ${where} for one of them.`
    : where === "path"
    ? "If no process listens on that socket any more, remove the file; else choose another path."
    : "Stop the process that listens there, or choose another port (0 takes a free one)."

const remedyDenied = (where: Where): string =>
  where === "path"
    ? "Choose a directory that this user may write to."
    : "Choose a port above 1023, or give the process the right to bind it."

const remedyInvalid = (where: Where): string =>
  where === "path" ? "A socket's path may have about 100 bytes; choose a shorter one." : seeOptions

const sayWhere = "Say where to listen: { port: 3000 } (0 takes a free one), { path } or { fd }. A variable of the "
  + "environment that is not set is undefined."

const seeOptions = "See the options of net.Server#listen."
