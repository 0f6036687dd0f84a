/**
 * The responses that a drain has a say in: those whose end is not known when they begin.
 */
import * as NodeHttpServerRequest from "@effect/platform-node/NodeHttpServerRequest"
import * as HttpBody from "@effect/platform/HttpBody"
import type { HttpServerRequest } from "@effect/platform/HttpServerRequest"
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { connectionOf } from "../core/connection.js"
import { responseOf } from "../effect/httpApps.js"
import { endsWithStream, isEventStream, wantsEventStream } from "../protocol/eventStream.js"

type Response = HttpServerResponse.HttpServerResponse

/** The same response; if it is an event stream, one that ends when `end` does. */
export const endingWithDrain = (response: Response, request: HttpServerRequest, end: Effect.Effect<void>): Response => {
  if (!isStreamed(response)) return response
  const connection = connectionOf(NodeHttpServerRequest.toIncomingMessage(request).socket)
  if (connection === undefined) return response
  // interrupted before its first byte, such a body would be sent as an empty one that is whole
  if (connection.registry.lifecycle.isAborting) return tooLate
  return connection.registry.endsEventStreams ? endingWhen(end, response, request) : response
}

const isStreamed = ({ body }: Response): boolean =>
  body._tag === "Stream" || body._tag === "FormData"
  || (body._tag === "Raw" && typeof body.body === "object" && body.body !== null && "pipe" in body.body)

const endingWhen = (end: Effect.Effect<void>, response: Response, request: HttpServerRequest): Response => {
  const { body, headers } = response
  if (body._tag !== "Stream" || headers["content-length"] !== undefined) return response
  const contentType = headers["content-type"] ?? body.contentType
  if (!isEventStream(contentType)) return response
  const source = NodeHttpServerRequest.toIncomingMessage(request)
  if (!wantsEventStream(source.method, source.headers.accept)) return response
  const ended = Effect.zipRight(end, Effect.sync(endsWithStream(responseOf(request))))
  return HttpServerResponse.setBody(response, HttpBody.stream(Stream.interruptWhen(body.stream, ended), contentType))
}

const tooLate = HttpServerResponse.empty({ status: 503 })
