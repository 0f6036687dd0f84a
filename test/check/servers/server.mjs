/**
 * A small server without a framework that stops well, and that can have one fault: `node server.mjs <fault>`.
 *
 * It serves GET / and POST /, /slow, /big, /stream and WebSockets at /ws, over TLS and HTTP/2 if TLS and H2 say so, on
 * PORT (and HOST) or on the Unix socket SOCKET. After SIGTERM it goes on to accept, and says `Connection: close` with each
 * answer. What is idle is closed after `idleMillis`, and it ends when it is quiet, at the latest after `lastMillis`.
 *
 * All of its times are longer than a client of `quiesce check` may be late on a busy machine. A fault knows its clients by
 * what they do and how many they are, and not by when.
 */
import { spawn } from "node:child_process"
import * as Fs from "node:fs"
import * as Http from "node:http"
import * as Http2 from "node:http2"
import * as Https from "node:https"
import * as Net from "node:net"

const fault = process.argv[2] ?? "none"
const { H2, HOST = "127.0.0.1", LOCKS, PORT, SOCKET, TLS } = process.env

/** As long as the clients of `quiesce check` go on to send to a server that goes on to answer, and longer. */
const lastMillis = 5500
const idleMillis = 1500
const newMillis = 3500
/** So long after the last connection nobody is about to open one. */
const quietMillis = 1200
const tick = 25

/** What is known of each connection, by its raw socket. */
const connections = new Map()
let signals = 0
let signalAt = 0
let lastAccept = 0
let busyOnce = 0
let wasFrozen = false
let idleAtSignal = 0

const sinceSignal = () => signals === 0 ? -1 : Date.now() - signalAt
const stopping = () => signals > 0

const accepted = (socket) => {
  lastAccept = Date.now()
  const state = {
    socket,
    at: Date.now(),
    served: 0,
    open: 0,
    kind: "new",
    afterSignal: stopping(),
    since: Date.now()
  }
  connections.set(socket, state)
  socket.on("error", () => {})
  socket.on("close", () => connections.delete(socket))
  return state
}

/** Of HTTPS and HTTP/2, a request has a socket that goes over the raw one. */
const stateOf = (socket) => {
  const raw = connections.get(socket)
  if (raw !== undefined) return raw
  for (const state of connections.values()) {
    if (state.socket.remotePort === socket.remotePort) return state
  }
  return { served: 0, open: 0, kind: "gone", since: 0, at: 0, socket }
}

/** Whether this request is one that the fault drops when its turn comes. */
const isDropped = (request, state, begun) => {
  if (!stopping()) return false
  const isFirst = state.served === 0 && !state.afterSignal
  const isSecond = state.served === 1 && begun >= signalAt
  switch (fault) {
    case "idle-20ms":
      return isSecond && idleAtSignal > 8
    case "idle-500ms":
      return isSecond && idleAtSignal > 1 && idleAtSignal <= 8
    case "busy":
      return state.served > 5
    case "next-request":
      return isSecond && state.saidNothing === true
    case "first-request":
      return isFirst && state.wasSilent === true
    case "connection-per-request":
      return request.headers.connection === "close" && ++busyOnce > 40
    case "half-head":
      return isFirst && state.wasHalf === true
    case "half-body":
      return request.method === "POST" && request.headers.expect === undefined && begun < signalAt && signals === 1
    case "expect-continue":
      return request.headers.expect !== undefined
    case "slow":
      return request.url === "/slow"
    case "queue":
      return wasFrozen
    default:
      return false
  }
}

/** Whether the answer says that it is the last one. */
const saysClose = (state) => {
  if (!stopping() || fault === "says-close") return false
  if (fault === "next-request") return !(state.saidNothing = state.served === 0 && !state.afterSignal)
  return !(fault === "pipelined" && state.open > 1)
}

const answer = (request, response, body, begun) => {
  const state = stateOf(request.socket)
  if (isDropped(request, state, begun)) return void state.socket.destroy()
  if (request.httpVersionMajor === 1 && saysClose(state)) response.setHeader("connection", "close")
  response.on("close", () => {
    state.open--
    state.served++
    state.kind = "idle"
    state.since = Date.now()
  })
  const drops = fault === "pipelined" && stopping() && state.open > 1
  response.end(body, drops ? () => state.socket.destroy() : undefined)
}

const onRequest = (request, response) => {
  const begun = Date.now()
  const state = stateOf(request.socket)
  state.open++
  state.kind = request.url === "/stream" || request.url === "/big" ? request.url : request.method
  if (request.url === "/slow") setTimeout(() => answer(request, response, "slow", begun), 900)
  else if (request.url === "/big") answer(request, response, Buffer.alloc(12 * 1024 * 1024), begun)
  else if (request.url === "/stream") {
    response.writeHead(200, { "content-type": "text/event-stream" })
    const timer = setInterval(() => response.write("data: tick\n\n"), 50)
    response.on("close", () => clearInterval(timer))
  } else if (request.method === "POST") {
    request.resume()
    request.on("end", () => answer(request, response, "posted", begun))
  } // whether it was frozen is known a moment after it has accepted what came meanwhile
  else if (fault === "queue") setTimeout(() => answer(request, response, "hello", begun), 10)
  else answer(request, response, "hello", begun)
}

const onUpgrade = (request, socket) => {
  const state = stateOf(socket)
  state.kind = "ws"
  socket.on("error", () => {})
  socket.write(
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: x\r\n\r\n"
  )
  // what the client sends is its close frame
  socket.on("data", () => socket.end())
  state.close = () => socket.write(Buffer.from([0x88, 2, 0x03, fault === "websocket" ? 0xe8 : 0xe9]))
}

const onSession = (session) => {
  const state = stateOf(session.socket)
  state.kind = "h2"
  state.session = session
  session.on("error", () => {})
}

const onStream = (stream, headers) => {
  const begun = Date.now()
  const state = stateOf(stream.session.socket)
  state.streams = (state.streams ?? 0) + 1
  state.openStreams = (state.openStreams ?? 0) + 1
  stream.on("close", () => state.openStreams--)
  stream.on("error", () => {})
  stream.resume()
  stream.on("end", () => {
    const isDropped = fault === "h2-in-flight" && headers[":method"] === "POST" && begun < signalAt
    if (isDropped) return void stream.close(Http2.constants.NGHTTP2_CANCEL)
    const respond = () => {
      if (stream.destroyed) return
      stream.respond({ ":status": 200 })
      stream.end("hello")
    }
    // so that streams are open when the signal comes
    if (fault === "h2-crossing") setTimeout(respond, 400)
    else respond()
  })
}

const tls = TLS === undefined
  ? {}
  : { key: Fs.readFileSync(`${TLS}/key.pem`), cert: Fs.readFileSync(`${TLS}/cert.pem`) }
const makeServer = () => {
  if (H2 === undefined) return TLS === undefined ? Http.createServer(onRequest) : Https.createServer(tls, onRequest)
  const server = TLS === undefined ? Http2.createServer() : Http2.createSecureServer({ ...tls, allowHTTP1: true })
  // a request of HTTP/2 has its stream
  server.on("request", (request, response) => request.httpVersionMajor === 1 && onRequest(request, response))
  return server.on("stream", onStream).on("session", onSession)
}
const server = makeServer()
// Node must not close what the fault keeps
server.keepAliveTimeout = 60_000
server.on("upgrade", onUpgrade)
// before Node makes a session of it
server.prependListener("connection", accepted)
server.on("secureConnection", (socket) => (stateOf(socket).secure = true))
server.on("checkContinue", (request, response) => {
  response.writeContinue()
  onRequest(request, response)
})

/** What the fault never closes. */
const isKept = (state) =>
  (fault === "idle-stays" && state.kind === "idle")
  || (fault === "never-sends" && state.kind === "new" && state.socket.bytesRead === 0)
  || (fault === "never-ends-head" && state.kind === "new" && state.socket.bytesRead > 0)
  || (fault === "never-ends-body" && state.kind === "POST")
  || (fault === "never-reads" && state.kind === "/big")
  || (fault === "stream" && state.kind === "/stream")
  || (fault === "websocket-ignores" && state.kind === "ws")

const isDue = (state) => {
  const millis = sinceSignal()
  if (isKept(state)) return false
  if (millis > lastMillis) return true
  const since = Date.now() - Math.max(state.since, signalAt)
  if (state.kind === "idle") return since > idleMillis
  return state.kind === "new" && state.socket.bytesRead === 0 && since > newMillis
}

const end = () => {
  if (fault === "socket-file") process.exit(0)
  Net.Server.prototype.close.call(server)
  if (fault === "exit-code") process.exitCode = 3
}

const look = (timer) => {
  for (const state of connections.values()) {
    const isWaiting = state.served === 0 && state.open === 0 && !state.afterSignal
    if (isWaiting && sinceSignal() > 250) state[state.socket.bytesRead === 0 ? "wasSilent" : "wasHalf"] = true
    if (isDue(state)) state.socket.destroy()
  }
  const isQuiet = Date.now() - Math.max(lastAccept, signalAt) > quietMillis
  if (connections.size > 0 || !(isQuiet || sinceSignal() > lastMillis)) return
  clearInterval(timer)
  end()
}

const begin = () => {
  for (const state of connections.values()) {
    if (state.kind === "idle") idleAtSignal++
    state.close?.()
    const isUsedOnce = state.streams === 1 && state.openStreams === 0
    const isCut = (fault === "h2-goaway" && isUsedOnce) || (fault === "h2-crossing" && state.openStreams > 2)
    if (isCut) state.socket.destroy()
    else state.session?.close()
    if (fault === "big" && state.kind === "/big") setTimeout(() => state.socket.destroy(), 100)
    if (fault === "tls-handshake") setTimeout(() => state.secure || state.socket.destroy(), 400)
  }
  const timer = setInterval(() => look(timer), tick)
}

const onSignal = () => {
  signals++
  if (signals > 1) return
  signalAt = Date.now()
  begin()
}
if (fault === "signal-twice") process.once("SIGTERM", onSignal)
else process.on("SIGTERM", onSignal)

if (fault === "queue") process.on("SIGCONT", () => (wasFrozen = true))

if (fault === "left-behind") {
  spawn(process.execPath, ["-e", "setTimeout(() => {}, 1e6)"], { detached: true, stdio: "ignore" }).unref()
}
if (fault === "restart") {
  const lock = `${LOCKS}/${PORT ?? "socket"}`
  if (Fs.existsSync(lock)) process.exit(1)
  Fs.writeFileSync(lock, "")
}
if (SOCKET !== undefined) Fs.rmSync(SOCKET, { force: true })
server.listen(SOCKET === undefined ? { port: Number(PORT), host: HOST } : { path: SOCKET })
