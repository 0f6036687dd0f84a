/** What every server here serves, whatever it is made with. */
import { readFileSync } from "node:fs"
import { setTimeout } from "node:timers/promises"
import { WebSocketServer } from "ws"

export const address = { host: "127.0.0.1", port: Number(process.env.PORT) }

/** With a certificate they speak TLS. */
export const tls = process.env.TLS_CERT === undefined
  ? undefined
  : { cert: readFileSync(process.env.TLS_CERT), key: readFileSync(process.env.TLS_KEY) }

export const hello = "hello\n"

export const slow = async () => {
  await setTimeout(1000)
  return hello
}

let bytes
/** 20 MB, made when they are asked for. */
export const big = () => (bytes ??= Buffer.alloc(20_000_000, "x"))

// a proxy must not keep what it should pass on
export const eventStream = {
  "content-type": "text/event-stream",
  "cache-control": "no-cache",
  "x-accel-buffering": "no"
}
export const event = "data: hello\n\n"
export const eventMillis = 250

export const lengthOf = async (request) => {
  let length = 0
  for await (const chunk of request) length += chunk.length
  return `${length}\n`
}

/** An event stream that never ends by itself, on a response of Node. */
export const stream = (response) => {
  response.writeHead(200, eventStream)
  response.write(event)
  const timer = setInterval(() => response.write(event), eventMillis)
  response.once("close", () => clearInterval(timer))
}

/** Answers each message of a WebSocket with itself. What breaks the protocol must not end the process. */
export const echo = (webSocket) =>
  webSocket.on("error", console.error).on("message", (data, binary) => webSocket.send(data, { binary }))

export const echoAt = (server) => new WebSocketServer({ server, path: "/ws" }).on("connection", echo)
