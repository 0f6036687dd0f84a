/**
 * Pages as routes of the platform.
 */
import * as NodeHttpServerRequest from "@effect/platform-node/NodeHttpServerRequest"
import * as HttpMiddleware from "@effect/platform/HttpMiddleware"
import * as HttpServerRequest from "@effect/platform/HttpServerRequest"
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { type Route, wildcard } from "../effect/routing.js"
import {
  type ActionRoute,
  type EventsRoute,
  eventStream,
  formLimit,
  formTooLong,
  type Page,
  type PageEvents,
  type PageRoute,
  postedOf,
  tooManyWatch
} from "../model/page.js"

export const responseWith = ({ body, contentType, headers, status }: Page): HttpServerResponse.HttpServerResponse =>
  HttpServerResponse.text(body, { status, contentType, headers })

export const routeOf = <R>({ page, path }: PageRoute<R>): Route<R> => ({
  path,
  handler: Effect.gen(function*() {
    const { headers, originalUrl } = yield* HttpServerRequest.HttpServerRequest
    const rest = path.endsWith("*") ? yield* wildcard : ""
    return responseWith(yield* page({ accept: headers["accept"] ?? "", url: originalUrl, rest }))
  }).pipe(HttpMiddleware.withLoggerDisabled)
})

export const eventsRouteOf = <R>({ events, path }: EventsRoute<R>): Route<R> => ({
  path,
  handler: Effect.map(events, (events) =>
    events === undefined
      ? responseWith(tooManyWatch)
      : HttpServerResponse.stream(Stream.encodeText(streamOf(events)), eventStream)).pipe(
      HttpMiddleware.withLoggerDisabled
    )
})

const streamOf = ({ isOver, next, release }: PageEvents): Stream.Stream<string> =>
  Stream.repeatEffect(next).pipe(Stream.takeUntil(isOver), Stream.ensuring(release))

export const actionRouteOf = <R>({ act, path }: ActionRoute<R>): Route<R> => ({
  method: "POST",
  path,
  handler: Effect.gen(function*() {
    const request = yield* HttpServerRequest.HttpServerRequest
    const { socket } = NodeHttpServerRequest.toIncomingMessage(request)
    const length = Number(request.headers["content-length"] ?? Number.NaN)
    if (!(length <= formLimit)) return responseWith(formTooLong)
    const body = yield* Effect.orElseSucceed(request.text, () => "")
    return responseWith(yield* act(postedOf(request.headers, body, socket.remoteAddress)))
  })
})
