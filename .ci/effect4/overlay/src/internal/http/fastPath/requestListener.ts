import * as Effect from "effect/Effect"
import type { HttpMiddleware } from "effect/http/HttpMiddleware"
import type * as Http from "node:http"
import type { RequestFibers } from "../../drain/requestFibers.js"
import type { HttpApp } from "../../effect/httpApps.js"

export type RequestListener = (request: Http.IncomingMessage, response: Http.ServerResponse) => void

export const make = (
  _httpApp: HttpApp<unknown>,
  _middleware: HttpMiddleware | undefined,
  _handlers: RequestFibers
): Effect.Effect<RequestListener | undefined> => Effect.succeed(undefined)
