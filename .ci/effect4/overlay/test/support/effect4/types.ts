import * as Effect from "effect/Effect"
import * as HttpServer from "effect/http/HttpServer"
import type { HttpServerRequest } from "effect/http/HttpServerRequest"
import type { HttpServerResponse } from "effect/http/HttpServerResponse"
import type { SocketAddress } from "effect/net/NetAddress"
import type * as Scope from "effect/Scope"

export type App<E = never, R = never> = Effect.Effect<HttpServerResponse, E, R | HttpServerRequest | Scope.Scope>

export const addressWith = <A, E, R>(f: (address: SocketAddress) => Effect.Effect<A, E, R>) =>
  Effect.flatMap(HttpServer.HttpServer, ({ address }) => f(address))
