/**
 * The responses that a drain has a say in: those whose end is not known when they begin.
 */
import * as HttpBody from "@effect/platform/HttpBody"
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import type * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import type * as Net from "node:net"
import { openOf } from "../registry.js"

type Response = HttpServerResponse.HttpServerResponse

/** The same response; if it is an event stream, one that ends when `end` does. */
export const ending = (response: Response, socket: Net.Socket, end: Effect.Effect<void>): Response => {
  if (!isStreamed(response)) return response
  const open = openOf(socket)
  if (open === undefined) return response
  // interrupted before its first byte, such a body would be sent as an empty one that is whole
  return open.registry.killing ? tooLate : endingWhen(end, response)
}

const isStreamed = ({ body }: Response): boolean =>
  body._tag === "Stream" || body._tag === "FormData"
  || (body._tag === "Raw" && typeof body.body === "object" && body.body !== null && "pipe" in body.body)

const endingWhen = (end: Effect.Effect<void>, response: Response): Response => {
  const { body, headers } = response
  const contentType = headers["content-type"] ?? body.contentType
  if (body._tag !== "Stream" || contentType?.toLowerCase().startsWith("text/event-stream") !== true) return response
  return HttpServerResponse.setBody(response, HttpBody.stream(Stream.interruptWhen(body.stream, end), contentType))
}

const tooLate = HttpServerResponse.empty({ status: 503 })
