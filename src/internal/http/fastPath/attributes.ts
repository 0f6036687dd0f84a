/**
 * What `@effect/platform` writes on the span of a request: the same attributes, in the same order.
 */
import * as Headers from "@effect/platform/Headers"
import { exitResponse } from "@effect/platform/HttpServerError"
import * as ServerRequest from "@effect/platform/HttpServerRequest"
import type { HttpServerResponse } from "@effect/platform/HttpServerResponse"
import type * as Exit from "effect/Exit"
import type * as FiberRef from "effect/FiberRef"
import * as Option from "effect/Option"
import type * as Tracer from "effect/Tracer"

export type RedactedNames = typeof Headers.currentRedactedNames extends FiberRef.FiberRef<infer A> ? A : never

export const received = (
  span: Tracer.Span,
  request: ServerRequest.HttpServerRequest,
  redactedNames: RedactedNames
): void => {
  const { headers, method, remoteAddress } = request
  const url = Option.getOrUndefined(ServerRequest.toURL(request))
  span.attribute("http.request.method", method)
  if (url !== undefined) {
    if (url.username !== "" || url.password !== "") {
      url.username = "REDACTED"
      url.password = "REDACTED"
    }
    span.attribute("url.full", url.toString())
    span.attribute("url.path", url.pathname)
    const query = url.search.slice(1)
    if (query !== "") span.attribute("url.query", query)
    span.attribute("url.scheme", url.protocol.slice(0, -1))
  }
  if (headers["user-agent"] !== undefined) span.attribute("user_agent.original", headers["user-agent"])
  headerAttributes(span, "request", headers, redactedNames)
  if (Option.isSome(remoteAddress)) span.attribute("client.address", remoteAddress.value)
}

export const answered = (
  span: Tracer.Span,
  exit: Exit.Exit<HttpServerResponse, unknown>,
  redactedNames: RedactedNames
): void => {
  const { headers, status } = exitResponse(exit)
  span.attribute("http.response.status_code", status)
  headerAttributes(span, "response", headers, redactedNames)
}

const headerAttributes = (
  span: Tracer.Span,
  of: "request" | "response",
  headers: Headers.Headers,
  redactedNames: RedactedNames
): void => {
  const redacted = Headers.redact(headers, redactedNames)
  for (const name in redacted) {
    const value = redacted[name]
    span.attribute(`http.${of}.header.${name}`, typeof value === "string" ? value : "<redacted>")
  }
}
