import * as Effect from "effect/Effect"
import * as HttpServerRequest from "effect/http/HttpServerRequest"
import type { HttpServerResponse } from "effect/http/HttpServerResponse"
import type * as Scope from "effect/Scope"

export type HttpApp<E = never, R = never> = Effect.Effect<
  HttpServerResponse,
  E,
  R | HttpServerRequest.HttpServerRequest | Scope.Scope
>

export const upgraded = Effect.flatMap(HttpServerRequest.HttpServerRequest, (request) => request.upgrade)
