import { HttpApp, HttpServerRequest, HttpServerResponse } from "@effect/platform"
import { NodeHttpPlatform } from "@effect/platform-node"
import type { HttpPlatform } from "@effect/platform/HttpPlatform"
import { describe, it } from "@effect/vitest"
import { Effect } from "effect"
import fc from "fast-check"
import type { HttpApp as Answering } from "../../support/effect/apps.js"
import { anyDescription, type Description, responseOf } from "./same/anyResponse.js"
import { type Both, same, servers } from "./same/compare.js"
import { middlewares } from "./same/middlewares.js"

// Whatever an app answers with, its clients get the same bytes as from `@effect/platform-node`: the same responses each
// time, so that a change that makes a difference is what fails.

const runs = 150

const anyExchange = fc.record({
  description: anyDescription,
  method: fc.constantFrom("GET", "GET", "HEAD", "POST"),
  version: fc.constantFrom("1.1", "1.1", "1.0"),
  connection: fc.constantFrom("close", "keep-alive")
})
type Exchange = typeof anyExchange extends fc.Arbitrary<infer A> ? A : never

/** All that is sent on one connection, which the last request ends. */
const requestsOf = ({ connection, method, version }: Exchange): string => {
  const head = (method: string, target: string, ...lines: ReadonlyArray<string>) =>
    [`${method} ${target} HTTP/${version}`, "Host: example.test", ...lines, "", ""].join("\r\n")
  const first = head(method, "/", `Connection: ${connection}`, ...(method === "POST" ? ["Content-Length: 0"] : []))
  // it has no body: that it may never be sent keeps nobody waiting
  return connection === "close" ? first : first + head("GET", "/next", "Connection: close")
}

const given = (description: Description): Answering<unknown, HttpPlatform> => {
  const response = responseOf(description)
  switch (description.given) {
    case "at once":
      return response
    case "later":
      return Effect.zipLeft(response, Effect.sleep(1))
    case "as a failure":
      return Effect.flatMap(response, Effect.fail)
    case "as a defect":
      return Effect.flatMap(response, Effect.die)
    default:
      return Effect.as(
        HttpApp.appendPreResponseHandler(() => Effect.provide(response, NodeHttpPlatform.layer)),
        HttpServerResponse.text("it is not this")
      )
  }
}

const compareAll = (both: Both, current: { description: Description | undefined }, seed: number) =>
  Effect.promise(() =>
    fc.assert(
      fc.asyncProperty(anyExchange, async (exchange) => {
        current.description = exchange.description
        const sent = requestsOf(exchange)
        await Effect.runPromise(same(both, sent, sent, exchange.connection === "close" ? "whole" : "sorted"))
      }),
      { numRuns: runs, seed }
    )
  )

describe("any response is the one of @effect/platform-node", () => {
  for (const [index, tracing] of (["native", "recorded", "off"] as const).entries()) {
    for (const middleware of [undefined, middlewares["logger"]]) {
      it.scopedLive(
        `with tracing ${tracing}, ${middleware === undefined ? "as it is" : "logged"}`,
        () =>
          Effect.gen(function*() {
            const current: { description: Description | undefined } = { description: undefined }
            const platform = yield* Effect.runtime<HttpPlatform>()
            const app = Effect.flatMap(HttpServerRequest.HttpServerRequest, ({ url }) =>
              url === "/next" || current.description === undefined
                ? HttpServerResponse.empty()
                : given(current.description))
            const both = yield* servers({
              tracing,
              middleware,
              app: () =>
                Effect.provide(app, platform.context)
            })
            yield* compareAll(both, current, middleware === undefined ? index : index + 100)
          }).pipe(Effect.provide(NodeHttpPlatform.layer)),
        60_000
      )
    }
  }
})
