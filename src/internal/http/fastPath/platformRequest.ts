/**
 * Requests of `@effect/platform-node`'s own class, which it does not export, and which its functions (and users) take
 * for granted. One that its own handler has made shows which class that is.
 */
import * as PlatformNode from "@effect/platform-node/NodeHttpServer"
import * as NodeHttpServerRequest from "@effect/platform-node/NodeHttpServerRequest"
import { HttpServerRequest } from "@effect/platform/HttpServerRequest"
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import * as Effect from "effect/Effect"
import * as Http from "node:http"
import * as Net from "node:net"

export type RequestClass = new(source: Http.IncomingMessage, response: Http.ServerResponse) => HttpServerRequest

/** The class, if it is made of a request and its response as far as we can see; else requests go the platform's way. */
export const requestClass = (): RequestClass | undefined => {
  try {
    return found()
  } catch {
    // one that is made of something else may say so
    return undefined
  }
}

const found = (): RequestClass | undefined => {
  const source = Object.assign(new Http.IncomingMessage(new Net.Socket()), { method: "GET", url: "/" })
  const response = new Http.ServerResponse(source)
  const made: Array<HttpServerRequest> = []
  const app = Effect.map(HttpServerRequest, (request) => {
    made.push(request)
    return HttpServerResponse.empty()
  })
  Effect.runSync(PlatformNode.makeHandler(app))(source, response)
  const [example] = made
  if (example === undefined) return undefined
  const Class = example.constructor as RequestClass
  const own = new Class(source, response)
  const same = NodeHttpServerRequest.toIncomingMessage(own) === source
    && NodeHttpServerRequest.toServerResponse(own) === response
    && own.url === example.url
    // all that it was given shows, but for the mark that it has been answered
    && Object.keys(own).join() === Object.keys(example).join()
  return same ? Class : undefined
}
