import { HttpServer, HttpServerResponse } from "@effect/platform"
import { it } from "@effect/vitest"
import { Context, Effect, Layer } from "effect"
import * as Http from "node:http"
import { describe, expect } from "vitest"
import { NodeHttpServer, Shutdown } from "../../../src/index.js"
import { providerOf, withProvider } from "../../support/effect/configProviders.js"
import { client, get, responses, send, targetOf } from "../../support/running.js"

// The switch of the fast path. Whose the scope of a request is says which way the request has come.

const scopeOfRequest = Effect.map(
  Effect.scope,
  (scope) => HttpServerResponse.text(Object.keys(scope).toSorted().join())
)

const ours = "span,strategy"
const platforms = "state,strategy"

const variable = "QUIESCE_FAST_PATH"

/** As the process would have been started with it. */
const withVariable = (value: string | undefined) =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const before = process.env[variable]
      if (value === undefined) delete process.env[variable]
      else process.env[variable] = value
      return before
    }),
    (before) =>
      Effect.sync(() => {
        if (before === undefined) delete process.env[variable]
        else process.env[variable] = before
      })
  )

const way = (options: Partial<NodeHttpServer.Options>) =>
  Effect.gen(function*() {
    const context = yield* Layer.build(
      NodeHttpServer.layerServer(() => Http.createServer(), { host: "127.0.0.1", port: 0, ...options })
    )
    const server = Context.get(context, HttpServer.HttpServer)
    yield* server.serve(scopeOfRequest)
    const one = yield* client(targetOf(server.address))
    yield* send(one, get("/"))
    const [response] = yield* responses(one, 1)
    return response?.body.toString()
  })

describe("the fast path", () => {
  for (
    const [name, value, options, expected] of [
      ["is taken by default", undefined, {}, ours],
      ["is left where the option says so", undefined, { fastPath: false }, platforms],
      ["is left where the environment says so", "off", {}, platforms],
      ["is left where the environment says 0", "0", {}, platforms],
      ["is taken where the environment says so", "true", {}, ours],
      ["is taken where the option says so, whatever the environment says", "0", { fastPath: true }, ours],
      ["is left where the option says so, whatever the environment says", "1", { fastPath: false }, platforms]
    ] as const
  ) {
    it.scoped(name, () =>
      Effect.gen(function*() {
        yield* withVariable(value)
        expect(yield* way(options)).toBe(expected)
      }))
  }

  it.scoped("is the matter of the process: a program that reads its configuration elsewhere has the variable, too", () =>
    Effect.gen(function*() {
      yield* withVariable("no")
      expect(yield* withProvider(providerOf({}))(way({}))).toBe(platforms)
    }))

  it.scoped("says what is wrong with a value that is none, and nothing listens", () =>
    Effect.gen(function*() {
      const option = yield* Effect.flip(way({ fastPath: "no" as never }))
      expect(option.cause).toBeInstanceOf(Shutdown.InvalidPolicy)
      expect(option.message).toBe("fastPath is \"no\", and must be true or false")
      yield* withVariable("maybe")
      const environment = yield* Effect.flip(way({}))
      expect(environment.cause).toBeInstanceOf(Shutdown.InvalidPolicy)
      expect(environment.message).toBe(
        "QUIESCE_FAST_PATH is \"maybe\", and must be true or false, on or off, 1 or 0"
      )
    }))
})
