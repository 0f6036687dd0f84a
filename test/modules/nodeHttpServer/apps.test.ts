import {
  FetchHttpClient,
  FileSystem,
  HttpClient,
  HttpMiddleware,
  HttpServer,
  HttpServerRequest,
  HttpServerResponse,
  Multipart
} from "@effect/platform"
import * as LayerRouter from "@effect/platform/HttpLayerRouter"
import { Rpc, RpcClient, RpcGroup, RpcSerialization, RpcServer } from "@effect/rpc"
import { assert, it } from "@effect/vitest"
import { Deferred, Effect, Fiber, Layer, Schema, Stream } from "effect"
import * as Http from "node:http"
import { NodeHttpServer, Server } from "../../../src/index.js"
import { httpApi } from "../../support/effect/httpApi.js"
import * as HttpRouter from "../../support/effect/httpRouter.js"
import type { Target } from "../../support/rawClient.js"
import { served } from "../../support/routed.js"
import { client, get, launch, limit, type Running, targetOf } from "../../support/running.js"

/** Launches what is served as `runMain` would. */
const running = <E>(app: Layer.Layer<never, E, HttpServer.HttpServer | Layer.Layer.Success<typeof ServerLive>>) =>
  launch(
    Layer.provideMerge(app, ServerLive),
    (context) => targetOf(context.unsafeMap.get(HttpServer.HttpServer.key).address)
  )

// no grace: it would be the frozen `TestClock` that measures it
const ServerLive = NodeHttpServer.layer(() => Http.createServer(), { host: "127.0.0.1", port: 0, idleGrace: 0 })

const url = ({ target }: { readonly target: Target }, path: string): string =>
  "port" in target ? `http://127.0.0.1:${target.port}${path}` : path

/** A request that is under way while the server starts to drain, and what came of it. */
const throughDrain = <R, A>(
  app: Running<R>,
  entered: Deferred.Deferred<void>,
  release: Deferred.Deferred<void>,
  request: () => Promise<A>
) =>
  Effect.gen(function*() {
    const answer = yield* Effect.fork(Effect.promise(request))
    yield* Deferred.await(entered)
    yield* app.drain
    yield* Deferred.succeed(release, undefined)
    const value = yield* Fiber.join(answer)
    const report = yield* app.report
    assert.strictEqual(report.outcome, "Drained")
    assert.strictEqual(report.served, 1)
    return value
  })

const gate = Effect.gen(function*() {
  const entered = yield* Deferred.make<void>()
  const release = yield* Deferred.make<void>()
  return { entered, release, pass: Effect.zipRight(Deferred.succeed(entered, undefined), Deferred.await(release)) }
})

it.scoped("HttpRouter: a route in flight is answered during the drain, with Connection: close", () =>
  Effect.gen(function*() {
    const { entered, pass, release } = yield* gate
    const app = yield* running(
      HttpRouter.empty.pipe(
        HttpRouter.get(
          "/users/:id",
          Effect.zipRight(pass, Effect.map(HttpRouter.params, HttpServerResponse.unsafeJson))
        ),
        HttpServer.serve()
      )
    )
    const [headers, body] = yield* throughDrain(app, entered, release, async () => {
      const response = await fetch(url(app, "/users/7"))
      return [response.headers, await response.json()] as const
    })
    assert.deepStrictEqual(body, { id: "7" })
    assert.strictEqual(headers.get("connection"), "close")
  }))

it.scoped("HttpApi: an endpoint in flight is answered during the drain", () =>
  Effect.gen(function*() {
    const { entered, pass, release } = yield* gate
    const app = yield* running(httpApi("/users/count", Effect.as(pass, 42)))
    const body = yield* throughDrain(
      app,
      entered,
      release,
      async () => (await fetch(url(app, "/users/count"))).json()
    )
    assert.strictEqual(body, 42)
  }))

it.scoped("HttpLayerRouter: a route in flight is answered during the drain", () =>
  Effect.gen(function*() {
    const { entered, pass, release } = yield* gate
    const route = LayerRouter.add("GET", "/", Effect.as(pass, HttpServerResponse.text("routed")))
    const app = yield* running(LayerRouter.serve(route, { disableListenLog: true, disableLogger: true }))
    const body = yield* throughDrain(app, entered, release, async () => (await fetch(url(app, "/"))).text())
    assert.strictEqual(body, "routed")
  }))

it.scoped("RPC over HTTP: a call in flight ends with its result", () =>
  Effect.gen(function*() {
    const { entered, pass, release } = yield* gate
    const rpcs = RpcGroup.make(Rpc.make("Greet", { payload: { name: Schema.String }, success: Schema.String }))
    const app = yield* running(
      served(
        RpcServer.layer(rpcs).pipe(
          Layer.provide(rpcs.toLayer({ Greet: ({ name }) => Effect.as(pass, `hello ${name}`) })),
          Layer.provide(RpcServer.layerProtocolHttp({ path: "/rpc" })),
          Layer.provide(RpcSerialization.layerNdjson)
        )
      )
    )
    const protocol = RpcClient.layerProtocolHttp({ url: url(app, "/rpc") }).pipe(
      Layer.provide([FetchHttpClient.layer, RpcSerialization.layerNdjson])
    )
    const greeting = yield* throughDrain(
      app,
      entered,
      release,
      () =>
        Effect.runPromise(
          Effect.flatMap(RpcClient.make(rpcs), (client) => client.Greet({ name: "world" })).pipe(
            Effect.scoped,
            Effect.provide(protocol)
          )
        )
    )
    assert.strictEqual(greeting, "hello world")
  }))

it.scoped("Multipart: an upload that is under way is received whole during the drain", () =>
  Effect.gen(function*() {
    const { entered, pass, release } = yield* gate
    const app = yield* running(
      HttpRouter.empty.pipe(
        HttpRouter.post(
          "/upload",
          Effect.gen(function*() {
            yield* pass
            const { file } = yield* HttpServerRequest.schemaBodyMultipart(
              Schema.Struct({ file: Multipart.SingleFileSchema })
            )
            const fs = yield* FileSystem.FileSystem
            const { size } = yield* fs.stat(file.path)
            return HttpServerResponse.text(`${file.name}: ${size}`)
          }).pipe(Effect.scoped)
        ),
        HttpServer.serve()
      )
    )
    const form = new FormData()
    form.append("file", new Blob([new Uint8Array(2_000_000)]), "big.bin")
    const body = yield* throughDrain(
      app,
      entered,
      release,
      async () => (await fetch(url(app, "/upload"), { method: "POST", body: form })).text()
    )
    assert.strictEqual(body, "big.bin: 2000000")
  }))

it.scoped("a file response that is under way arrives whole", () =>
  Effect.gen(function*() {
    const { entered, pass, release } = yield* gate
    const app = yield* running(
      HttpRouter.empty.pipe(
        HttpRouter.get("/file", Effect.zipRight(pass, HttpServerResponse.file("package-lock.json"))),
        HttpServer.serve()
      )
    )
    const fs = yield* Effect.provide(FileSystem.FileSystem, NodeHttpServer.layerContext)
    // `fetch` leaves with the last byte that `Content-Length` has promised, which may be before the answer has ended
    const one = yield* client(app.target)
    const body = yield* throughDrain(app, entered, release, async () => {
      await one.write(get("/file"))
      return (await one.untilResponses(1, limit)).responses[0]?.body.toString()
    })
    assert.strictEqual(body, yield* fs.readFileString("package-lock.json"))
  }))

it.scoped("a stream that has begun is sent to its end", () =>
  Effect.gen(function*() {
    const { entered, pass, release } = yield* gate
    const chunks = Stream.make("one ", "two ").pipe(
      Stream.concat(Stream.drain(Stream.fromEffect(pass))),
      Stream.concat(Stream.make("three")),
      Stream.encodeText
    )
    const app = yield* running(HttpServer.serve(Effect.succeed(HttpServerResponse.stream(chunks))))
    const body = yield* throughDrain(app, entered, release, async () => (await fetch(url(app, "/"))).text())
    assert.strictEqual(body, "one two three")
  }))

it.scoped("middleware and HEAD: the head is that of the stock server, and closes", () =>
  Effect.gen(function*() {
    const { entered, pass, release } = yield* gate
    const app = yield* running(
      HttpRouter.empty.pipe(
        HttpRouter.get("/", Effect.as(pass, HttpServerResponse.text("hello", { headers: { "x-own": "1" } }))),
        HttpServer.serve(HttpMiddleware.cors())
      )
    )
    const headers = yield* throughDrain(
      app,
      entered,
      release,
      async () => (await fetch(url(app, "/"), { method: "HEAD" })).headers
    )
    assert.strictEqual(headers.get("x-own"), "1")
    assert.strictEqual(headers.get("content-length"), "5")
    assert.strictEqual(headers.get("access-control-allow-origin"), "*")
    assert.strictEqual(headers.get("connection"), "close")
  }))

it.scoped("layerTest: a client, a server, and the tag through which it stops", () =>
  Effect.gen(function*() {
    yield* HttpServer.serveEffect(Effect.succeed(HttpServerResponse.text("tested")))
    const response = yield* HttpClient.get("/")
    assert.strictEqual(yield* response.text, "tested")
    const report = yield* Effect.flatMap(Server.Server, (server) => server.shutdown)
    assert.strictEqual(report.outcome, "Drained")
  }).pipe(Effect.scoped, Effect.provide(NodeHttpServer.layerTest)))

it.scoped("HttpServer.withLogAddress and layerTestClient work as with the stock layers", () =>
  Effect.gen(function*() {
    const response = yield* HttpClient.get("/")
    assert.strictEqual(yield* response.text, "here")
  }).pipe(
    Effect.provide(
      HttpServer.serve(Effect.succeed(HttpServerResponse.text("here"))).pipe(
        HttpServer.withLogAddress,
        Layer.provideMerge(HttpServer.layerTestClient),
        Layer.provideMerge(ServerLive),
        Layer.provideMerge(FetchHttpClient.layer)
      )
    )
  ))
