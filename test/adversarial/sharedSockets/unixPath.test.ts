import * as HttpServer from "@effect/platform/HttpServer"
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import { once } from "node:events"
import * as Fs from "node:fs"
import * as Http from "node:http"
import * as Os from "node:os"
import * as Path from "node:path"
import { afterEach, beforeEach, describe, expect, it } from "vitest"
import { Handoff, NodeHttpServer, Server } from "../../../src/index.js"
import { quiesce } from "../../../src/promise.js"
import { limit, silent } from "../../support/running.js"
import { waitFor } from "../../support/wait.js"

// Pins internal/node: hasPipeName

// Whoever stops removes the file of its own Unix socket, and not the one that its successor has made in its place.

let directory = ""
let path = ""
beforeEach(() => {
  directory = Fs.mkdtempSync(Path.join(Os.tmpdir(), "quiesce-path-"))
  path = Path.join(directory, "app.sock")
})
afterEach(() => Fs.rmSync(directory, { recursive: true, force: true }))

const ask = (socketPath = path) =>
  new Promise<string>((resolve, reject) => {
    Http.get({ socketPath, path: "/", agent: false }, (response) => {
      let body = ""
      response.setEncoding("utf8").on("data", (text: string) => (body += text)).on("end", () => resolve(body))
    }).on("error", reject)
  })

interface Running {
  readonly stop: () => Promise<unknown>
}

/** The ways in which a server comes to listen on a path; each answers with `name`. */
const ways: ReadonlyArray<readonly [name: string, start: (name: string, path: string) => Promise<Running>]> = [
  ["an adopted server", async (name, path) => {
    const node = Http.createServer((_, response) => void response.end(name))
    node.listen(path)
    // it may be adopted before it listens, and after that
    if (name === "old") await once(node, "listening")
    const { shutdown } = quiesce(node, { logger: false })
    if (!node.listening) await once(node, "listening")
    return { stop: shutdown }
  }],
  ["one whose owner closes it", async (name, path) => {
    const node = Http.createServer((_, response) => void response.end(name))
    const server = quiesce(node, { logger: false })
    await once(node.listen({ path }), "listening")
    return {
      stop: () => {
        node.close()
        return server.closed
      }
    }
  }],
  ["an Effect app", async (name, path) => {
    const scope = await Effect.runPromise(Scope.make())
    const live = HttpServer.serve(Effect.succeed(HttpServerResponse.text(name))).pipe(
      Layer.provideMerge(NodeHttpServer.layer(() => Http.createServer(), { path })),
      Layer.provide(silent)
    )
    const context = await Effect.runPromise(Layer.buildWithScope(live, scope))
    return { stop: () => Effect.runPromise(Context.get(context, Server.Server).shutdown) }
  }],
  ["a program that may hand over", async (name, path) => {
    const ready = await Effect.runPromise(Deferred.make<Server.ServerService>())
    const fiber = Effect.runFork(
      HttpServer.serve(Effect.succeed(HttpServerResponse.text(name))).pipe(
        Layer.provideMerge(NodeHttpServer.layer(() => Http.createServer(), { path })),
        Layer.tap((context) => Deferred.succeed(ready, Context.get(context, Server.Server))),
        Handoff.launch({ signals: [] }),
        Effect.provide(silent)
      )
    )
    await Effect.runPromise(Effect.raceFirst(Deferred.await(ready), Fiber.join(fiber)))
    return { stop: () => Effect.runPromise(Fiber.interrupt(fiber)) }
  }]
]

describe.each(ways)("%s", (_, start) => {
  it("removes its file", async () => {
    const { stop } = await start("old", path)
    expect(await ask()).toBe("old")
    await stop()
    expect(Fs.readdirSync(directory)).toEqual([])
  })

  it("leaves its successor's", async () => {
    const old = await start("old", path)
    Fs.rmSync(path)
    const young = await start("new", path)
    await old.stop()
    expect(await ask()).toBe("new")
    await young.stop()
    expect(Fs.readdirSync(directory)).toEqual([])
  })

  it("leaves one that was moved over its own", async () => {
    const old = await start("old", path)
    const beside = Path.join(directory, "beside.sock")
    const node = Http.createServer((_, response) => void response.end("new"))
    await once(node.listen(beside), "listening")
    Fs.renameSync(beside, path)
    await old.stop()
    expect(await ask()).toBe("new")
    node.close()
    await waitFor("its end", once(node, "close"), limit)
  })

  it("leaves the name free that somebody has removed", async () => {
    const old = await start("old", path)
    Fs.rmSync(path)
    await old.stop()
    expect(Fs.readdirSync(directory)).toEqual([])
  })

  it("that is refused the name leaves it to whoever has it", async () => {
    const first = Http.createServer((_, response) => void response.end("first"))
    await once(first.listen(path), "listening")
    const second = await start("old", path).then(() => "started", () => "refused")
    expect(second).toBe("refused")
    expect(await ask()).toBe("first")
    first.close()
  })

  it.runIf(process.platform === "linux")("listens on an abstract socket, which has no file", async () => {
    const abstract = `\0quiesce-${process.pid}-${Path.basename(directory)}`
    const { stop } = await start("old", abstract)
    expect(await ask(abstract)).toBe("old")
    await stop()
    await expect(ask(abstract)).rejects.toMatchObject({ code: "ECONNREFUSED" })
    expect(Fs.readdirSync(directory)).toEqual([])
  })
})
