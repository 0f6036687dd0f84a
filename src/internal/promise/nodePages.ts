/**
 * Pages on a Node server, or on one of its routes, without the platform.
 */
import * as Effect from "effect/Effect"
import type * as Http from "node:http"
import { type Page, type PageRoute, textPage } from "../model/page.js"
import type { PlainHandler } from "../model/promise.js"
import { originalUrlOf } from "../node/originalUrl.js"

export type Run = <A>(effect: Effect.Effect<A>) => Promise<A>

interface Found {
  readonly route: PageRoute<never>
  readonly rest: string
}

/** Answers a GET of those paths, and passes on whatever else comes. */
export const answerWith =
  (routes: ReadonlyArray<PageRoute<never>>, run: Run): PlainHandler => (request, response, next) => {
    const isRead = request.method === "GET" || request.method === "HEAD"
    const found = isRead ? find(routes, request.url ?? "") : undefined
    if (found !== undefined) {
      const asked = { accept: request.headers.accept ?? "", url: originalUrlOf(request) ?? "", rest: found.rest }
      // a page that dies is a bug: whoever asks has to get an answer all the same
      const page = Effect.catchAllCause(
        found.route.page(asked),
        () => Effect.succeed(failed)
      )
      void run(page).then((page) => write(response, page))
    } else if (next === undefined) write(response, notFound)
    else next()
  }

export const failed = textPage(500, "internal server error\n")

const notFound = textPage(404, "404 page not found\n")

const find = (routes: ReadonlyArray<PageRoute<never>>, url: string): Found | undefined => {
  const path = decoded(url.split("?", 1)[0] ?? "")
  for (const route of routes) {
    if (route.path === path) return { route, rest: "" }
    const below = route.path.endsWith("/*") ? route.path.slice(0, -1) : undefined
    if (below !== undefined && path?.startsWith(below) === true) return { route, rest: path.slice(below.length) }
  }
  return undefined
}

const decoded = (path: string): string | undefined => {
  try {
    return decodeURIComponent(path)
  } catch {
    return undefined
  }
}

export const write = (response: Http.ServerResponse, { body, contentType, headers, status }: Page): void => {
  if (response.destroyed || response.headersSent) return
  response.writeHead(status, { ...headers, "content-type": contentType, "content-length": Buffer.byteLength(body) })
  response.end(body)
}
