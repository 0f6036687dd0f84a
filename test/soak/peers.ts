/** Clients that keep a connection and are told when to leave it: WebSockets, and sessions of HTTP/2. */
import * as Http2 from "node:http2"
import { WebSocket } from "ws"
import { waitFor } from "../support/wait.js"
import type { Tally } from "./load.js"
import type { Running } from "./servers.js"

const limit = 15_000

/** What cuts it, until what is returned is called. */
type OnLeave = (leave: () => void) => () => void

/** A WebSocket that says one thing after the other, and leaves when it is asked to. */
export const webSocketUntilClosed = async (
  { name, port }: Pick<Running, "name" | "port">,
  tally: Tally,
  onLeave: OnLeave
): Promise<void> => {
  const socket = new WebSocket(`ws://127.0.0.1:${port}/socket`)
  const gone = onLeave(() => socket.terminate())
  const closed = new Promise<number>((resolve) => socket.once("close", resolve))
  socket.on("error", (error) => tally.wronged.push(`a WebSocket of ${name}: ${String(error)}`))
  let last = ""
  const say = () => {
    if (socket.readyState !== WebSocket.OPEN) return
    last = `message ${tally.messages}`
    socket.send(last)
  }
  socket.on("open", say)
  socket.on("message", (message: Buffer) => {
    tally.messages++
    if (message.toString() !== last) tally.wronged.push(`a WebSocket of ${name} heard what it had not said`)
    setTimeout(say, 5)
  })
  const code = await closed
  gone()
  tally.webSockets++
  if (code !== 1001) tally.wronged.push(`a WebSocket of ${name} was closed with ${code}`)
}

/** A session that has three streams at a time, until the server sends its GOAWAY. */
export const http2SessionUntilGoaway = async (
  { port }: Pick<Running, "port">,
  tally: Tally,
  isStopping: () => boolean,
  onLeave: OnLeave
): Promise<void> => {
  const session = Http2.connect(`http://127.0.0.1:${port}`)
  const gone = onLeave(() => session.destroy())
  const closed = new Promise<void>((resolve) => session.once("close", resolve))
  let away = false
  session.on("error", () => {})
  session.once("goaway", () => {
    away = true
  })
  while (!away && !session.closed && !session.destroyed && !isStopping()) {
    await Promise.all(["/big", "/echo", "/echo"].map((path) => exchange(session, path, tally)))
  }
  session.close()
  await waitFor("the end of a session", closed, limit)
  gone()
}

const exchange = (session: Http2.ClientHttp2Session, path: string, tally: Tally): Promise<void> =>
  new Promise((resolve) => {
    if (session.closed || session.destroyed) return resolve()
    const body = path === "/echo" ? `hello ${tally.http2}` : ""
    const stream = session.request({ ":path": path, ":method": "POST" })
    let bytes = 0
    let text = ""
    let ended = false
    stream.on("data", (piece: Buffer) => {
      bytes += piece.length
      if (path === "/echo") text += piece.toString()
    })
    stream.on("end", () => {
      ended = true
    })
    stream.on("error", () => {})
    stream.on("close", () => {
      const whole = path === "/echo" ? text === body : bytes === 1024 * 1024
      // those that are refused have not been executed (RFC 9113 §8.7)
      if (ended && whole) tally.http2++
      else if (bytes > 0 || stream.rstCode === Http2.constants.NGHTTP2_INTERNAL_ERROR) {
        tally.wronged.push(`a stream of HTTP/2 had ${bytes} bytes, code ${stream.rstCode}`)
      }
      resolve()
    })
    stream.end(body)
  })
