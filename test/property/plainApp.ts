/** The same without Effect: the listeners of a Node server. */
import type * as Http from "node:http"
import type * as Http2 from "node:http2"
import type * as Net from "node:net"
import type { RequestFact } from "./facts.js"
import type { HandlerControl } from "./handlerControl.js"
import { answerTo, piece, pieces } from "./requests.js"

type Request = Http.IncomingMessage | Http2.Http2ServerRequest
type Response = Http.ServerResponse | Http2.Http2ServerResponse

export const plainHandler = (handlers: HandlerControl) => (request: Request, response: Response): void => {
  const fact = handlers.enter(request.url ?? "")
  if (fact === undefined) return
  // of HTTP/2: Node's response to a HEAD says nothing when its stream is closed
  const closes = "stream" in response ? response.stream : response
  closes.once("close", () => handlers.ended(fact))
  // the compatibility layer of HTTP/2 tells it to the request
  request.on("error", () => {})
  switch (fact.kind) {
    case "held":
    case "masked":
    case "dogged":
      return handlers.wait(fact, (how) => {
        if (how === "piece") return
        handlers.waiting.delete(fact.id)
        handlers.done(fact, how !== "answer")
        end(response, how === "answer" ? 200 : 500, how === "answer" ? whole(fact) : "")
      })
    case "stream":
      return inPieces(handlers, fact, response)
    case "echo": {
      let body = ""
      request.on("data", (chunk: Buffer) => {
        body += chunk.toString()
      })
      request.on("end", () => {
        handlers.done(fact)
        end(response, 200, `echo ${fact.id}: ${body}`)
      })
      return
    }
    case "quick":
    case "big":
    case "deaf":
    case "websocket":
    case "echo upgrade":
    case "declined":
      return end(response, 200, whole(fact))
  }
}

const whole = ({ id, kind, size }: RequestFact): Buffer =>
  kind === "websocket" || kind === "echo upgrade" || kind === "declined"
    ? Buffer.alloc(0)
    : answerTo(id, kind, size)

const end = (response: Response, status: number, body: Buffer | string): void => {
  response.writeHead(status, { "content-length": Buffer.byteLength(body) })
  write(response, body, true)
}

/** What both kinds of responses have, although their types have nothing in common. */
const write = (response: Response, body: Buffer | string, isLast = false): void => {
  if ("stream" in response) void (isLast ? response.end(body) : response.write(body))
  else void (isLast ? response.end(body) : response.write(body))
}

const inPieces = (handlers: HandlerControl, fact: RequestFact, response: Response): void => {
  let n = 0
  response.writeHead(200)
  if (!("stream" in response)) response.flushHeaders()
  handlers.wait(fact, (how) => {
    if (how === "piece" || how === "answer") {
      do write(response, piece(fact.id, n++))
      while (how === "answer" && n < pieces)
      if (n < pieces) return
      handlers.done(fact)
      response.end()
    } else {
      handlers.broke(fact)
      if ("stream" in response) response.stream.close(2)
      else response.destroy()
    }
    handlers.waiting.delete(fact.id)
  })
}

/** Takes connections over that ask for it, and sends back what they send. */
export const echoUpgrade =
  (handlers: HandlerControl) => (request: Http.IncomingMessage, socket: Net.Socket, head: Buffer): void => {
    const fact = handlers.enter(request.url ?? "")
    if (fact === undefined) return
    handlers.done(fact)
    socket.on("error", () => {})
    socket.once("close", () => handlers.ended(fact))
    socket.write("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
    socket.write(head)
    socket.on("data", (data) => socket.write(data))
    socket.on("end", () => socket.end())
  }
