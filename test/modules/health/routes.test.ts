import * as LayerRouter from "@effect/platform/HttpLayerRouter"
import * as HttpServer from "@effect/platform/HttpServer"
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import { describe, expect, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { createServer } from "node:http"
import { Health, NodeHttpServer } from "../../../src/index.js"
import * as HttpRouter from "../../support/effect/httpRouter.js"
import type { Target } from "../../support/rawClient.js"
import { client, launch, send, targetOf } from "../../support/running.js"
import { launchWithHealth } from "./appWithHealth.js"

// What the API server of Kubernetes answers (k8s.io/apiserver, pkg/server/healthz), to the letter: people and their
// scripts know it.

const hello = HttpRouter.empty.pipe(HttpRouter.get("/", HttpServerResponse.text("hello")))

const checks = Layer.mergeAll(
  Health.layerCheck("database", Effect.void),
  Health.layerCheck("poststarthook/cache warm", Effect.fail("it is cold")),
  Health.layerCheck("event loop", Effect.void, { on: ["live"] })
)

const ask = (target: Target, path: string, method = "GET") =>
  Effect.gen(function*() {
    const one = yield* client(target)
    yield* send(one, `${method} ${path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`)
    const parsed = yield* Effect.promise(() => one.untilResponses(1, 5000, [method]))
    const response = parsed.responses[0]!
    return { status: response.status, headers: response.headers, body: response.body.toString() }
  })

const healthy = Health.layer.pipe(
  Layer.provideMerge(NodeHttpServer.layer(() => createServer(), { host: "127.0.0.1", port: 0 }))
)

/** An app with the checks, on a server of its own. */
const launched = <A, E>(app: Layer.Layer<A, E, Layer.Layer.Success<typeof healthy>>) =>
  launch(
    app.pipe(Layer.provide(checks), Layer.provideMerge(healthy)),
    (context) => targetOf(Context.get(context, HttpServer.HttpServer).address)
  )

describe("routes", () => {
  it.scoped("all checks pass: ok, and with ?verbose a line for each", () =>
    Effect.gen(function*() {
      const { target } = yield* launchWithHealth(hello, { checks })
      expect(yield* ask(target, "/livez")).toMatchObject({
        status: 200,
        body: "ok",
        headers: {
          "content-type": "text/plain; charset=utf-8",
          "x-content-type-options": "nosniff",
          "cache-control": "no-store"
        }
      })
      expect(yield* ask(target, "/livez?verbose")).toMatchObject({
        status: 200,
        body: "[+]ping ok\n[+]event loop ok\nlivez check passed\n"
      })
      expect(yield* ask(target, "/startupz?verbose=true")).toMatchObject({
        status: 200,
        body: "[+]ping ok\nstartupz check passed\n"
      })
    }))

  it.scoped("one fails: 500 and a line for each, without the reason", () =>
    Effect.gen(function*() {
      const { target } = yield* launchWithHealth(hello, { checks })
      const body = [
        "[+]ping ok",
        "[+]database ok",
        "[-]poststarthook/cache warm failed: reason withheld",
        "[+]shutdown ok",
        "readyz check failed",
        ""
      ].join("\n")
      expect(yield* ask(target, "/readyz")).toMatchObject({
        status: 500,
        body,
        headers: { "content-type": "text/plain; charset=utf-8", "x-content-type-options": "nosniff" }
      })
      expect(yield* ask(target, "/readyz?verbose")).toMatchObject({ status: 500, body })
    }))

  it.scoped("excludes checks by name, and warns of names that none has", () =>
    Effect.gen(function*() {
      const { target } = yield* launchWithHealth(hello, { checks })
      const excluded = "exclude=poststarthook/cache%20warm"
      expect(yield* ask(target, `/readyz?${excluded}`)).toMatchObject({ status: 200, body: "ok" })
      expect(yield* ask(target, `/readyz?verbose&${excluded}&exclude=zebra&exclude=database&exclude=aardvark`))
        .toMatchObject({
          status: 200,
          body: [
            "[+]ping ok",
            "[+]database excluded: ok",
            "[+]poststarthook/cache warm excluded: ok",
            "[+]shutdown ok",
            `warn: some health checks cannot be excluded: no matches for "aardvark","zebra"`,
            "readyz check passed",
            ""
          ].join("\n")
        })
    }))

  it.scoped("a check alone", () =>
    Effect.gen(function*() {
      const { admin, target } = yield* launchWithHealth(hello, { checks })
      expect(yield* ask(target, "/readyz/database")).toMatchObject({ status: 200, body: "ok" })
      expect(yield* ask(target, "/readyz/ping")).toMatchObject({ status: 200, body: "ok" })
      expect(yield* ask(target, "/readyz/shutdown")).toMatchObject({ status: 200, body: "ok" })
      expect(yield* ask(target, "/livez/event%20loop")).toMatchObject({ status: 200, body: "ok" })
      expect(yield* ask(target, "/readyz/poststarthook/cache%20warm")).toMatchObject({
        status: 500,
        body: "internal server error: reason withheld\n"
      })
      expect(yield* ask(admin, "/readyz/poststarthook/cache%20warm")).toMatchObject({
        status: 500,
        body: "internal server error: it is cold\n"
      })
      // of another probe, or of none
      for (const path of ["/livez/database", "/readyz/nothing", "/livez/shutdown"]) {
        expect(yield* ask(target, path)).toMatchObject({ status: 404 })
      }
    }))

  it.scoped("HEAD is answered as GET is, other methods are not", () =>
    Effect.gen(function*() {
      const { target } = yield* launchWithHealth(hello, { checks })
      expect(yield* ask(target, "/livez", "HEAD")).toMatchObject({ status: 200, body: "" })
      expect(yield* ask(target, "/readyz", "HEAD")).toMatchObject({ status: 500, body: "" })
      expect(yield* ask(target, "/livez", "POST")).toMatchObject({ status: 404 })
    }))

  it.scoped("reasons are shown where they may be", () =>
    Effect.gen(function*() {
      const { admin } = yield* launchWithHealth(hello, { checks })
      expect((yield* ask(admin, "/readyz")).body).toContain("[-]poststarthook/cache warm failed: it is cold\n")
      const withheld = yield* launchWithHealth(hello, { checks, admin: { port: 0, reasons: false } })
      expect((yield* ask(withheld.admin, "/readyz")).body).toContain("cache warm failed: reason withheld\n")
    }))

  it.scoped("mounted below a path", () =>
    Effect.gen(function*() {
      const mounted = HttpRouter.empty.pipe(HttpRouter.mount("/health", Health.router()))
      const { target } = yield* launched(HttpServer.serve(mounted))
      expect(yield* ask(target, "/health/livez?verbose")).toMatchObject({
        status: 200,
        body: "[+]ping ok\n[+]event loop ok\nlivez check passed\n"
      })
      expect(yield* ask(target, "/health/readyz/poststarthook/cache%20warm")).toMatchObject({ status: 500 })
      expect(yield* ask(target, "/livez")).toMatchObject({ status: 404 })
    }))

  it.scoped("on an HttpLayerRouter", () =>
    Effect.gen(function*() {
      const routes = Layer.mergeAll(
        LayerRouter.add("GET", "/", HttpServerResponse.text("hello")),
        Health.layerRouter({ reasons: true })
      )
      const { target } = yield* launched(
        LayerRouter.serve(routes, { disableLogger: true, disableListenLog: true })
      )
      expect(yield* ask(target, "/")).toMatchObject({ status: 200, body: "hello" })
      expect(yield* ask(target, "/livez?verbose&exclude=ping")).toMatchObject({
        status: 200,
        body: "[+]ping excluded: ok\n[+]event loop ok\nlivez check passed\n"
      })
      expect(yield* ask(target, "/readyz/poststarthook/cache%20warm")).toMatchObject({
        status: 500,
        body: "internal server error: it is cold\n"
      })
    }))
})
