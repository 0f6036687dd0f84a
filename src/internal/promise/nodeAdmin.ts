/**
 * What an admin listener answers beside pages, on a Node server without the platform: its event stream, and its actions.
 */
import * as Effect from "effect/Effect"
import type * as Http from "node:http"
import type * as Net from "node:net"
import type { AdminRoutes } from "../admin/pages.js"
import {
  type ActionRoute,
  type EventsRoute,
  eventStream,
  formLimit,
  formTooLong,
  postedOf,
  tooManyWatch
} from "../model/page.js"
import type { PlainHandler } from "../model/promise.js"
import { answerWith, failed, type Run, write } from "./nodePages.js"

export const answerAdmin = (
  { actions, events, pages }: AdminRoutes<never>,
  /** Goes before each page. */
  before: Effect.Effect<void>,
  run: Run
): PlainHandler => {
  const answerPage = answerWith(
    pages.map(({ page, path }) => ({
      path,
      page: (asked) => Effect.zipRight(before, page(asked))
    })),
    run
  )
  return (request, response) => {
    const [path] = (request.url ?? "").split("?", 1)
    const action = actions.find((action) => request.method === "POST" && action.path === path)
    if (action !== undefined) return void run(act(action, request, response))
    if (request.method === "GET" && events.path === path) return void run(tell(events, response))
    return answerPage(request, response)
  }
}

/** Until it ends, or the client leaves. */
const tell = ({ events }: EventsRoute<never>, response: Http.ServerResponse): Effect.Effect<void> =>
  Effect.flatMap(events, (events) => {
    if (events === undefined) return Effect.sync(() => write(response, tooManyWatch))
    response.writeHead(200, { ...eventStream.headers, "content-type": eventStream.contentType })
    const all = Effect.repeat(
      Effect.flatMap(events.next, (text) => sent(response, text)),
      { until: events.isOver }
    )
    return Effect.raceFirst(all, gone(response)).pipe(
      Effect.ensuring(events.release),
      Effect.catchAllCause(() => Effect.void),
      Effect.zipRight(Effect.sync(() => response.end()))
    )
  })

/** Suspends until there is room for more. */
const sent = (response: Http.ServerResponse, text: string): Effect.Effect<void> =>
  Effect.async<void>((resume) => {
    if (response.write(text)) return resume(Effect.void)
    const drained = () => resume(Effect.void)
    response.once("drain", drained)
    return Effect.sync(() => response.off("drain", drained))
  })

/** Its connection has closed: up to Node 22 a response that waits behind another one never says so itself. */
const gone = ({ req: { socket } }: Http.ServerResponse): Effect.Effect<void> =>
  Effect.async<void>((resume) => {
    if (socket.destroyed) return resume(Effect.void)
    const leave = () => resume(Effect.void)
    const all = waiting.get(socket) ?? new Set()
    if (!waiting.has(socket)) socket.once("close", () => all.forEach((leave) => leave()))
    waiting.set(socket, all.add(leave))
    return Effect.sync(() => void all.delete(leave))
  })

/** What is to hear that a connection has closed. Node warns of many listeners, and a client may ask often. */
const waiting = new WeakMap<Net.Socket, Set<() => void>>()

const act = (
  { act }: ActionRoute<never>,
  request: Http.IncomingMessage,
  response: Http.ServerResponse
): Effect.Effect<void> => {
  const length = Number(request.headers["content-length"] ?? Number.NaN)
  if (!(length <= formLimit)) return Effect.sync(() => write(response, formTooLong))
  // a socket that has gone has none
  const { remoteAddress } = request.socket
  return Effect.flatMap(
    bodyOf(request),
    (body) =>
      body === undefined ? Effect.void : act(postedOf(request.headers, body, remoteAddress)).pipe(
        Effect.catchAllCause(() => Effect.succeed(failed)),
        Effect.map((page) => write(response, page))
      )
  )
}

/** Of a client that leaves before its end, nothing: it has asked for nothing yet. */
const bodyOf = (request: Http.IncomingMessage): Effect.Effect<string | undefined> =>
  Effect.async<string | undefined>((resume) => {
    let body = ""
    request.setEncoding("utf8").on("data", (text: string) => {
      body += text
    })
    request.once("end", () => resume(Effect.succeed(request.complete ? body : undefined)))
    request.once("close", () => resume(Effect.succeed(undefined)))
  })
