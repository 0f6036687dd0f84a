/**
 * The responses that a drain has a say in: those whose end is not known when they begin.
 */
import * as NodeHttpServerRequest from "@effect/platform-node/NodeHttpServerRequest"
import * as HttpBody from "@effect/platform/HttpBody"
import type { HttpServerRequest } from "@effect/platform/HttpServerRequest"
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { connectionOf, type TrackedConnection } from "../core/connection.js"
import { responseOf } from "../effect/httpApps.js"
import { endsWithStream, isEventStream, wantsEventStream } from "../protocol/eventStream.js"

type Response = HttpServerResponse.HttpServerResponse

/** The same response; if it is an event stream, one that ends when it is its turn in a drain. */
export const endingWithDrain = (response: Response, request: HttpServerRequest): Response => {
  if (!isStreamed(response)) return response
  const connection = connectionOf(NodeHttpServerRequest.toIncomingMessage(request).socket)
  if (connection === undefined) return response
  // interrupted before its first byte, such a body would be sent as an empty one that is whole
  if (connection.registry.lifecycle.isAborting) return tooLate
  return connection.registry.endsEventStreams ? endingInTurn(connection, response, request) : response
}

/** Its body is written after its handler has ended. */
export const isStreamed = ({ body }: Response): boolean =>
  body._tag === "Stream" || body._tag === "FormData"
  || (body._tag === "Raw" && typeof body.body === "object" && body.body !== null && "pipe" in body.body)

const endingInTurn = (connection: TrackedConnection, response: Response, request: HttpServerRequest): Response => {
  const { body, headers } = response
  if (body._tag !== "Stream" || headers["content-length"] !== undefined) return response
  const contentType = headers["content-type"] ?? body.contentType
  if (!isEventStream(contentType)) return response
  const source = NodeHttpServerRequest.toIncomingMessage(request)
  if (!wantsEventStream(source.method, source.headers.accept)) return response
  const { lastLine } = connection.registry.goingAway
  const end = endsWithStream(responseOf(request))
  let isEnded = false
  const ended = Effect.zipRight(
    turnOf(connection),
    Effect.sync(() => {
      isEnded = true
      end()
    })
  )
  const stream = Stream.interruptWhen(body.stream, ended)
  const last = Stream.suspend(() => isEnded ? Stream.make(encoder.encode(lastLine)) : Stream.empty)
  return HttpServerResponse.setBody(
    response,
    HttpBody.stream(lastLine === "" ? stream : Stream.concat(stream, last), contentType)
  )
}

const encoder = new TextEncoder()

/** What begins when the turn of its connection is over is ended at once. */
const turnOf = (connection: TrackedConnection): Effect.Effect<void> =>
  Effect.async<void>((resume) => {
    if (connection.endsLongLived) return resume(Effect.void)
    const off = connection.onTurn(() => resume(Effect.void))
    return Effect.sync(off)
  })

const tooLate = HttpServerResponse.empty({ status: 503 })
