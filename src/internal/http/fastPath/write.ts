/**
 * Writes the response of an Effect app, as `@effect/platform-node` does, to the last byte. Where nobody waits for its
 * end, nothing does.
 */
import * as NodeHttpServerRequest from "@effect/platform-node/NodeHttpServerRequest"
import * as Cookies from "@effect/platform/Cookies"
import { causeResponse, ResponseError } from "@effect/platform/HttpServerError"
import type { HttpServerRequest } from "@effect/platform/HttpServerRequest"
import type { HttpServerResponse } from "@effect/platform/HttpServerResponse"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import type * as Stream from "effect/Stream"
import type * as Http from "node:http"
import { Readable } from "node:stream"
import { pipeline } from "node:stream/promises"
import { send } from "./streaming.js"

type Writing = Effect.Effect<void, ResponseError>

/** Up to this size, in bytes, a body is copied to leave in one piece with the head. */
const smallBody = 4096

/** What is left to do, once this has returned; nothing if all has been written and the caller need not wait for it. */
export const write = (
  request: HttpServerRequest,
  response: HttpServerResponse,
  isAwaited: boolean
): Writing | undefined => {
  const node = NodeHttpServerRequest.toServerResponse(request)
  if (node.writableEnded) return undefined
  const { body } = response
  const headers = headersOf(response)
  if (request.method === "HEAD") {
    node.writeHead(response.status, headers)
    return end(node, undefined, isAwaited)
  }
  switch (body._tag) {
    case "Empty":
      node.writeHead(response.status, headers)
      node.end()
      return undefined
    case "Uint8Array":
      node.writeHead(response.status, headers)
      return end(node, body.body, isAwaited)
    case "Raw":
      node.writeHead(response.status, headers)
      return isReadable(body.body) ? pipe(body.body, node, request, response) : end(node, body.body, isAwaited)
    case "FormData":
      return sendForm(body.formData, headers, node, request, response)
    case "Stream":
      node.writeHead(response.status, headers)
      return stream(body.stream, node, response)
  }
}

type NodeHeaders = Record<string, string | Array<string>>

const headersOf = ({ cookies, headers }: HttpServerResponse): NodeHeaders => {
  if (cookies === Cookies.empty || Cookies.isEmpty(cookies)) return headers
  const all = Cookies.toSetCookieHeaders(cookies)
  const own = headers["set-cookie"]
  if (own !== undefined) all.push(own)
  return { ...headers, "set-cookie": all }
}

const end = (node: Http.ServerResponse, body: unknown, isAwaited: boolean): Writing | undefined => {
  if (isAwaited) return Effect.async<void>((resume) => void node.end(body, () => resume(Effect.void)))
  // as text it is one chunk with the head; a byte is a character of Latin-1
  if (body instanceof Uint8Array && body.length > 0 && body.length <= smallBody && node.req.httpVersionMajor < 2) {
    node.end(latin1Slice.call(body, 0, body.length), "latin1")
  } else {
    node.end(body)
  }
  return undefined
}

const { latin1Slice } = Buffer.prototype

const isReadable = (body: unknown): body is NodeJS.ReadableStream =>
  typeof body === "object" && body !== null && "pipe" in body && typeof body.pipe === "function"

const failed = (request: HttpServerRequest, response: HttpServerResponse, cause: unknown): ResponseError =>
  new ResponseError({ request, response, reason: "Decode", cause })

const pipe = (
  body: NodeJS.ReadableStream,
  node: Http.ServerResponse,
  request: HttpServerRequest,
  response: HttpServerResponse
): Writing =>
  Effect.tryPromise({
    try: (signal) => pipeline(body, node, { signal, end: true }),
    catch: (cause) => failed(request, response, cause)
  }).pipe(
    Effect.interruptible,
    Effect.tapErrorCause((cause) => cutShort(cause, node, response))
  )

const sendForm = (
  form: FormData,
  headers: NodeHeaders,
  node: Http.ServerResponse,
  request: HttpServerRequest,
  response: HttpServerResponse
): Writing => {
  const web = new Response(form)
  node.writeHead(response.status, { ...headers, ...Object.fromEntries(web.headers) })
  return Effect.async<void, ResponseError>((resume, signal) => {
    Readable.fromWeb(web.body as Parameters<typeof Readable.fromWeb>[0], { signal })
      .pipe(node)
      .on("error", (cause) => resume(Effect.fail(failed(request, response, cause))))
      .once("finish", () => resume(Effect.void))
  }).pipe(
    Effect.interruptible,
    Effect.tapErrorCause((cause) => cutShort(cause, node, response))
  )
}

const stream = <E>(
  chunks: Stream.Stream<Uint8Array, E>,
  node: Http.ServerResponse,
  response: HttpServerResponse
): Writing =>
  Effect.matchCauseEffect(send(chunks, node), {
    onSuccess: () => Effect.sync(() => void node.end()),
    onFailure: (cause) => cutShort(cause, node, response)
  })

/** A body has failed on its way: what can be said of that is said, and the response is over. */
const cutShort = <E>(
  cause: Cause.Cause<E>,
  node: Http.ServerResponse,
  original: HttpServerResponse
): Effect.Effect<never, E> =>
  Effect.flatMap(causeResponse(cause), ([response, rest]) => {
    const begun = node.headersSent
    if (!begun) node.writeHead(response.status)
    if (!node.writableEnded) node.end()
    return Effect.failCause(begun ? Cause.sequential(cause, Cause.die(original)) : rest)
  })
