/**
 * Which requests that ask for an upgrade are handed over as one. Node hands over all of them as soon as anybody listens
 * for upgrades, without their bodies; but "a server MAY ignore a received Upgrade header field" (RFC 9110 §7.8), and one
 * that nobody speaks is to be answered as if it had not been sent: Java's `HttpClient` offers `h2c` with its first
 * request, whatever that is.
 */
import type * as Http from "node:http"
import { createServer } from "node:http"
import type * as Net from "node:net"
import { incomingOf, isUpgrade, parserOf, socketBeingParsed, upgradeCallbackOf } from "./internals.js"
import * as Patch from "./patch.js"
import { continueAfter } from "./unusedUpgrade.js"

/** Only what `isSpoken` says reaches the `upgrade` listeners of a Node server. */
export const handOverSpoken = (
  server: Net.Server,
  isSpoken: (request: Http.IncomingMessage) => boolean
): Patch.Restore => {
  const decide = (request: Http.IncomingMessage): boolean => {
    const spoken = server.listenerCount("upgrade") > 0 && isSpoken(request)
    if (!spoken) continueAfter(request)
    return spoken
  }
  const callback = upgradeCallbackOf(server)
  if (typeof callback === "function") {
    // whoever has given the server one of his own knows better
    return String(callback) === usual ? Patch.shouldUpgradeCallback(server, decide) : () => {}
  }
  const { listenerCount } = server
  return Patch.listenerCount(server, (name, listener) => {
    const count: number = Reflect.apply(listenerCount, server, listener === undefined ? [name] : [name, listener])
    if (name !== "upgrade") return count
    const request = beingParsed()
    if (request === undefined) return count
    const spoken = count > 0 && isSpoken(request)
    if (!spoken) continueAfter(request)
    return spoken ? count : 0
  })
}

/** As Node makes it for a server that was not given one. */
const usual = String(upgradeCallbackOf(createServer()))

/** The request whose head Node has just parsed, where it asks for an upgrade and that is still to be decided. */
const beingParsed = (): Http.IncomingMessage | undefined => {
  const socket = socketBeingParsed()
  const parser = socket === undefined ? undefined : parserOf(socket)
  const request = parser === undefined ? undefined : incomingOf(parser)
  return isUpgrade(request) ? request : undefined
}

/** What no server on Node can upgrade to: HTTP/2 has its own ports and ALPN, TLS (RFC 2817) has nobody. */
const unspeakable = /^(h2c|tls\/[\d.]+)$/

/**
 * Whether anybody may speak what a request asks to upgrade to. Of a listener that only ever hands over to `ws`, we know
 * that it refuses whatever is no WebSocket; of others nothing, and they get what they may be waiting for.
 */
export const isSpokenBy = (listeners: ReadonlyArray<unknown>, request: Http.IncomingMessage): boolean => {
  const names = (request.headers.upgrade ?? "").toLowerCase().split(",").map((name) => name.trim())
  // "a server MUST ignore an Upgrade header field that is received in an HTTP/1.0 request"
  if (request.httpVersionMinor === 0 || names.every((name) => unspeakable.test(name))) return false
  const others = listeners.filter((listener) => !speaksWebSocketsOnly(listener))
  return others.some((listener) => listener !== ofUpgradingApp || isOther(names)) || isHandshake(names, request)
}

/** What is to be one thing, and no WebSocket. */
const isOther = (names: ReadonlyArray<string>): boolean => names.length === 1 && names[0] !== "websocket"

/** What RFC 6455 §4.1 and `ws` take for the beginning of a WebSocket: a GET, without a body, for nothing else. */
const isHandshake = (names: ReadonlyArray<string>, { headers, method }: Http.IncomingMessage): boolean =>
  method === "GET" && names.length === 1 && names[0] === "websocket"
  && headers["transfer-encoding"] === undefined && Number(headers["content-length"] ?? 0) === 0

/** That of an app whose requests know how to become a WebSocket and nothing else. */
export const ofEffectApp = (): void => {}

/** That of an app whose requests know how to become a WebSocket, and any one thing that a client asks for. */
export const ofUpgradingApp = (): void => {}

const speaksWebSocketsOnly = (listener: unknown): boolean =>
  listener === ofEffectApp ||
  (typeof listener === "function" && handsOver.test(Function.prototype.toString.call(listener)))

/**
 * As `ws` listens where it is given a server, and as its users do where they have made it with `noServer`: all that such
 * a function does comes after `handleUpgrade`. And as engine.io does, which socket.io is made of.
 */
const handsOver =
  /^(?:async\s*)?(?:function\s*[\w$]*\s*)?\(?[\w$,\s]*\)?\s*(?:=>)?\s*\{?\s*(?:return\s+)?[\w$.]+\.handleUpgrade\(|destroyUpgradeTimeout/
