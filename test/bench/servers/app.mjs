/** What every server that is measured has in common: what it says, what it notes, and the app of those on `node:http`. */
import { openSync, writeSync } from "node:fs"
import { createServer } from "node:http"

const say = (event) => writeSync(1, `\n${JSON.stringify(event)}\n`)

export const listening = (port) => say({ port })

/** The shutdown is over, as this server sees it. The process need not have ended. */
export const closed = () => say({ closed: true })

const notes = process.env.BENCH_EXECUTED === undefined ? undefined : openSync(process.env.BENCH_EXECUTED, "a")

/** Notes that a handler has run for this request, before it is answered. */
export const executed = (id) => {
  if (notes !== undefined && id !== undefined) writeSync(notes, `${id}\n`)
}

export const options = { host: "127.0.0.1", port: 0, backlog: 65_535 }

const keepAliveTimeout = Number(process.env.BENCH_KEEP_ALIVE ?? 5000)

export const nodeServer = (handler) => createServer({ keepAliveTimeout }, handler)
export const fastifyOptions = { keepAliveTimeout }

/** The time in which a peer lets requests finish, for each that has one: long enough not to be what is measured. */
export const graceMs = 30_000

let bytes
/** 50 MB, made when they are asked for. */
export const big = () => (bytes ??= Buffer.alloc(50_000_000, "x"))

export const postMs = 200

const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms))

/** What a request is answered with, whatever the server. */
export const answer = async (url, id) => {
  if (url === "/post") {
    executed(id)
    await wait(postMs)
    return "done"
  }
  executed(id)
  if (url.startsWith("/wait/")) await wait(Number(url.slice(6)))
  return url === "/big" ? big() : "hello"
}

export const handler = (request, response) => {
  const id = request.headers["x-id"]
  const send = (body) => {
    response.writeHead(200, { "content-type": "text/plain", "content-length": body.length })
    response.end(body)
  }
  if (request.method === "GET" && request.url === "/") {
    executed(id)
    send("hello")
    return
  }
  const then = () => void answer(request.url, id).then(send)
  if (request.method === "POST") request.on("end", then).resume()
  else then()
}

export const listen = (server) => server.listen(options, () => listening(server.address().port))
