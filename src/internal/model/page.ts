/**
 * A page that health checks or an admin listener answer with. It knows neither the platform nor Node: programs without
 * Effect are answered with the same.
 */
import type * as Effect from "effect/Effect"

export interface Page {
  readonly status: number
  readonly contentType: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

/** What a page depends on. */
export interface Asked {
  /** As the client has sent it, wherever the page is mounted. */
  readonly url: string
  readonly accept: string
  /** What the `*` at the end of the path stands for. */
  readonly rest: string
}

export interface PageRoute<R> {
  readonly path: `/${string}`
  readonly page: (asked: Asked) => Effect.Effect<Page, never, R>
}

/** What an event stream tells, by hand: its client says when it has room for more. */
export interface PageEvents {
  /** Suspends until there is something to tell. */
  readonly next: Effect.Effect<string>
  /** What `next` has told was the last. */
  readonly isOver: () => boolean
  /** It has ended, or its client has left. */
  readonly release: Effect.Effect<void>
}

/** Answers with an event stream. */
export interface EventsRoute<R> {
  readonly path: `/${string}`
  /** `undefined`: too many are open. */
  readonly events: Effect.Effect<PageEvents | undefined, never, R>
}

/** A form that was sent to a page. */
export interface Posted {
  readonly body: string
  readonly contentType: string | undefined
  readonly host: string | undefined
  readonly origin: string | undefined
  /** `Sec-Fetch-Site`. */
  readonly site: string | undefined
  readonly remoteAddress: string
}

/** Answers a POST. */
export interface ActionRoute<R> {
  readonly path: `/${string}`
  readonly act: (posted: Posted) => Effect.Effect<Page, never, R>
}

/** The fields of a request that {@link Posted} has. */
export const postedOf = (
  headers: Readonly<Record<string, string | ReadonlyArray<string> | undefined>>,
  body: string,
  remoteAddress: string | undefined
): Posted => {
  const one = (name: string) => typeof headers[name] === "string" ? headers[name] : undefined
  return {
    body,
    contentType: one("content-type"),
    host: one("host"),
    origin: one("origin"),
    site: one("sec-fetch-site"),
    remoteAddress: remoteAddress ?? "unknown"
  }
}

/** The longest form that is read, in bytes. */
export const formLimit = 1000

export const eventStream = {
  contentType: "text/event-stream",
  headers: { "cache-control": "no-store", "x-accel-buffering": "no", "x-content-type-options": "nosniff" }
} as const

export const queryOf = ({ url }: Asked): URLSearchParams =>
  new URLSearchParams(url.includes("?") ? url.slice(url.indexOf("?")) : "")

export const textPage = (status: number, body: string): Page => ({
  status,
  contentType: "text/plain; charset=utf-8",
  headers: { "cache-control": "no-store", "x-content-type-options": "nosniff" },
  body
})

/** Nothing is wrong with those who ask; they may come again. */
export const tooManyWatch = textPage(503, "Too many pages watch this server already.\n")

export const formTooLong = textPage(413, "This form is too long, or does not say how long it is.\n")
