/**
 * What the attacked server serves, once as an Effect app and once as a listener of `node:http`: the same paths, and one
 * account of what was executed.
 */
import type * as HttpServerError from "@effect/platform/HttpServerError"
import * as HttpServerRequest from "@effect/platform/HttpServerRequest"
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import type * as Http from "node:http"
import { Readable } from "node:stream"
import type { HttpApp } from "../../support/effect/apps.js"
import { deferred } from "../../support/wait.js"

export type Kind = "an Effect app" | "an adopted node:http server"

export const kinds: ReadonlyArray<Kind> = ["an Effect app", "an adopted node:http server"]

/**
 * `POST /echo`: its body. `/hold`: half an answer, and the rest when it is released. `/big/<n>`: n MiB, made as they are
 * read. Anything else: `ok`.
 */
export interface Site {
  readonly app: HttpApp<HttpServerError.HttpServerError>
  readonly listener: Http.RequestListener
  /** What handlers have begun, as `GET /path`; echoes with their body, once it has been read whole. */
  readonly executed: ReadonlyArray<string>
  /** Handlers that wait for the release. */
  readonly holding: () => number
  readonly release: () => void
  /** Bytes of big answers that have been made. */
  readonly produced: () => number
}

const mebibyte = 1024 * 1024
const chunk = new Uint8Array(mebibyte / 16).fill("x".charCodeAt(0))

const bigOf = (url: string): number | undefined => {
  const match = /^\/big\/(\d+)$/.exec(url)
  return match === null ? undefined : Number(match[1])
}

export const makeSite = (): Site => {
  const executed: Array<string> = []
  const released = deferred()
  let holding = 0
  let produced = 0

  const begin = (method: string, url: string) => {
    if (url === "/hold") holding++
    // an echo is noted once its body is whole
    if (url !== "/echo") executed.push(`${method} ${url}`)
  }
  const make = (): Uint8Array => {
    produced += chunk.length
    return chunk
  }
  function* chunks(mebibytes: number) {
    for (let n = 0; n < mebibytes * 16; n++) yield make()
  }
  const respond = (method: string, url: string): HttpServerResponse.HttpServerResponse => {
    begin(method, url)
    const big = bigOf(url)
    if (big !== undefined) return HttpServerResponse.stream(Stream.fromIteratorSucceed(chunks(big), 1))
    if (url !== "/hold") return HttpServerResponse.text("ok")
    const last = Stream.fromEffect(Effect.as(Effect.promise(() => released.promise), "last"))
    return HttpServerResponse.stream(Stream.encodeText(Stream.concat(Stream.make("first "), last)))
  }

  return {
    executed,
    holding: () => holding,
    release: released.resolve,
    produced: () => produced,
    app: Effect.gen(function*() {
      const request = yield* HttpServerRequest.HttpServerRequest
      if (request.url !== "/echo") return respond(request.method, request.url)
      const body = yield* request.text
      executed.push(`${request.method} /echo ${body}`)
      return HttpServerResponse.text(body)
    }),
    listener: (request, response) => {
      const { method = "", url = "" } = request
      if (url === "/echo") {
        let body = ""
        request.setEncoding("utf8").on("data", (piece: string) => {
          body += piece
        }).on("end", () => {
          executed.push(`${method} /echo ${body}`)
          response.end(body)
        })
        return
      }
      begin(method, url)
      const big = bigOf(url)
      if (big !== undefined) return void Readable.from(chunks(big)).pipe(response)
      if (url !== "/hold") return void response.end("ok")
      response.write("first ")
      void released.promise.then(() => response.end("last"))
    }
  }
}
