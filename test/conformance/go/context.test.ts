// Go's BaseContext and ConnContext (rule B11): what the app is built with, and what belongs to one connection.
import * as HttpServer from "@effect/platform/HttpServer"
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import { expect, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Http from "node:http"
import { Connection, NodeHttpServer, Server, Shutdown } from "../../../src/index.js"
import { answer, client, get, launch, responses, send, serving, targetOf, until } from "../../support/running.js"
import { leave, loopback } from "./harness.js"

/** What the app is built with. */
class Base extends Context.Tag("test/Base")<Base, string>() {}

const layerServer = NodeHttpServer.layer(() => Http.createServer(), { ...loopback, ...Shutdown.goPolicy })

const addressed = (context: Context.Context<HttpServer.HttpServer>) =>
  targetOf(Context.get(context, HttpServer.HttpServer).address)

it.scoped("B11: something acquired once per connection is the same in all its requests, and released with it", () =>
  Effect.gen(function*() {
    const log: Array<string> = []
    const session = Connection.once(Effect.acquireRelease(
      Effect.sync(() => {
        const name = `session ${log.length}`
        log.push(`acquired ${name}`)
        return name
      }),
      (name) => Effect.sync(() => log.push(`released ${name}`))
    ))
    const app = yield* serving(Effect.map(Effect.orDie(session), (name) => HttpServerResponse.text(name)), {
      ...Shutdown.goPolicy
    })
    const peer = yield* client(app.target)
    // both at once, and one later
    yield* send(peer, get("/"), get("/"))
    yield* responses(peer, 2)
    yield* send(peer, get("/"))
    expect((yield* responses(peer, 3)).map(({ body }) => body.toString())).toEqual(Array(3).fill("session 0"))
    expect(log).toEqual(["acquired session 0"])
    yield* leave(peer)
    yield* until("the release", () => log.length === 2)
    expect(log[1]).toBe("released session 0")
    const other = yield* client(app.target)
    yield* send(other, get("/"))
    expect((yield* answer(other)).body).toBe("session 2")
    yield* app.stop
    expect(log[3]).toBe("released session 2")
  }))

it.scoped("T61: a handler knows its server, the connection it came on, and where it was reached", () =>
  Effect.gen(function*() {
    const handler = Effect.gen(function*() {
      const server = yield* Server.Server
      const { address } = yield* HttpServer.HttpServer
      const { id, remoteAddress } = yield* Connection.current
      const [connection] = yield* server.connections
      return yield* HttpServerResponse.json({ address: targetOf(address), id, listed: connection?.id, remoteAddress })
    })
    const running = yield* launch(
      HttpServer.serve(Effect.orDie(handler)).pipe(Layer.provideMerge(layerServer)),
      addressed
    )
    const peer = yield* client(running.target)
    yield* send(peer, get("/"))
    expect(JSON.parse((yield* answer(peer)).body ?? "")).toEqual({
      address: running.target,
      id: 1,
      listed: 1,
      remoteAddress: `127.0.0.1:${peer.socket.localPort}`
    })
  }))

it.scoped("T62: what a connection acquires sees what the app was built with, and the handler sees both", () =>
  Effect.gen(function*() {
    const greeting = Connection.once(Effect.flatMap(
      Base,
      (base) => Effect.acquireRelease(Effect.succeed(`a connection of ${base}`), () => Effect.void)
    ))
    const handler = Effect.zipWith(
      Effect.orDie(greeting),
      Base,
      (one, base) => HttpServerResponse.text(`${one}; ${base}`)
    )
    const running = yield* launch(
      HttpServer.serve(handler).pipe(Layer.provide(Layer.succeed(Base, "the base")), Layer.provideMerge(layerServer)),
      addressed
    )
    const peer = yield* client(running.target)
    yield* send(peer, get("/"))
    expect((yield* answer(peer)).body).toBe("a connection of the base; the base")
  }))

it.scoped("T63: what belongs to one connection is not seen on the next, nor on another at the same time", () =>
  Effect.gen(function*() {
    const counter = Connection.once(Effect.sync(() => ({ requests: 0 })))
    const app = yield* serving(
      Effect.map(Effect.orDie(counter), (state) => HttpServerResponse.text(`${++state.requests}`)),
      Shutdown.goPolicy
    )
    const [first, second] = [yield* client(app.target), yield* client(app.target)] as const
    yield* send(first, get("/"), get("/"))
    yield* send(second, get("/"))
    expect((yield* responses(first, 2)).map(({ body }) => body.toString())).toEqual(["1", "2"])
    expect((yield* answer(second)).body).toBe("1")
    yield* leave(first)
    const third = yield* client(app.target)
    yield* send(third, get("/"))
    expect((yield* answer(third)).body).toBe("1")
  }))
