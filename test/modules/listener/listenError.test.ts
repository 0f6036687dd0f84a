import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Fs from "node:fs"
import type * as Http from "node:http"
import { createServer } from "node:http"
import * as Https from "node:https"
import * as Net from "node:net"
import * as Os from "node:os"
import * as Path from "node:path"
import { Listener, NodeHttpServer, Server } from "../../../src/index.js"
import { defects } from "../../../src/internal/effect/causes.js"
import { quiesce, type Target } from "../../../src/promise.js"
import { makeCertificate } from "../../support/certificate.js"
import { answer, idleAfterOne, targetOf } from "../../support/running.js"

// Pins internal/node: hasLookedUpHost

const directory = Effect.acquireRelease(
  Effect.sync(() => Fs.mkdtempSync(Path.join(Os.tmpdir(), "quiesce-"))),
  (path) => Effect.sync(() => Fs.rmSync(path, { recursive: true, force: true }))
)

/** Something else that listens there. */
const occupy = (options: Net.ListenOptions) =>
  Effect.acquireRelease(
    Effect.async<Net.Server>((resume) => {
      const server = Net.createServer().listen(options, () => resume(Effect.succeed(server)))
    }),
    (server) => Effect.async<void>((resume) => void server.close(() => resume(Effect.void)))
  )

/** Fails as `Server.listen` and as `NodeHttpServer.layer` do: with the same error, and the same message. */
const failing = (options: Listener.Options) =>
  Effect.gen(function*() {
    const server = yield* Server.make()
    const error = yield* Effect.flip(server.listen(() => createServer(), options))
    const serveError = yield* Effect.flip(
      Effect.scoped(Layer.build(NodeHttpServer.layer(() => createServer(), options)))
    )
    expect(error).toBeInstanceOf(Listener.ListenError)
    expect(serveError._tag).toBe("ServeError")
    expect(serveError.cause).toBeInstanceOf(Listener.ListenError)
    expect(serveError.message).toBe(error.message)
    if (!(error instanceof Listener.ListenError)) throw error
    // the message has it all: the option, its value, what to do
    const value = typeof error.value === "string" ? JSON.stringify(error.value) : String(error.value)
    expect(error.message).toContain(`Cannot listen with ${error.field} ${value}: `)
    expect(error.message).toContain(error.remedy)
    expect(error.remedy.length).toBeGreaterThan(20)
    return error
  })

describe("what is no Node server", () => {
  const things: ReadonlyArray<readonly [unknown, string]> = [
    [undefined, "undefined"],
    [Promise.resolve(createServer()), "a promise (await it)"],
    [() => {}, "a function (an express app?)"]
  ]
  for (const [thing, words] of things) {
    it.scoped(`${words} is said to be none, whoever is to use it`, () =>
      Effect.gen(function*() {
        const evaluate = () => thing as ReturnType<typeof createServer>
        const server = yield* Server.make()
        const listened = yield* Effect.flip(server.listen(evaluate, { port: 0 }))
        expect(listened).toBeInstanceOf(Listener.ListenError)
        expect(listened.message).toContain(`Cannot listen with ${words}: it is no server of node:http, `)
        const served = yield* Effect.flip(Effect.scoped(Layer.build(NodeHttpServer.layer(evaluate, { port: 0 }))))
        expect(served._tag).toBe("ServeError")
        expect(served.message).toBe(listened.message)
        const adopted = yield* Effect.flip(server.adopt(evaluate()))
        expect(adopted).toBeInstanceOf(Listener.ListenError)
        expect(adopted.message).toContain(`Cannot take over ${words}: it is no server of node:http, `)
      }))
  }
})

describe("what people pass in place of a Node server", () => {
  const server = createServer()
  const things: ReadonlyArray<readonly [what: string, thing: unknown, remedy: string]> = [
    [
      "polka, before it listens",
      { server: undefined, listen: () => {} },
      "call its `listen`, and pass its `server` then"
    ],
    ["koa, express", Object.assign(() => {}, { listen: () => {} }), "pass what its `listen(…)` returns"],
    ["hono", { fetch: () => {} }, "Pass what `serve({ fetch: app.fetch })` of @hono/node-server returns"],
    ["hapi", { listener: server, stop: () => {} }, "Pass its `listener`, which is the Node server"],
    ["socket.io", { httpServer: server, close: () => {} }, "Pass its `httpServer`"],
    ["ws", { _server: server, close: () => {} }, "Pass its `_server`"],
    ["NestJS", { getHttpServer: () => server, listen: () => {} }, "Pass what its `getHttpServer()` returns"]
  ]
  for (const [what, thing, remedy] of things) {
    it.scoped(`${what}: is told where the Node server is`, () =>
      Effect.gen(function*() {
        const given = thing as ReturnType<typeof createServer>
        const made = yield* Server.make()
        expect((yield* Effect.flip(made.adopt(given))).message).toContain(remedy)
        expect((yield* Effect.flip(made.listen(() => given, { port: 0 }))).message).toContain(remedy)
        expect(() => quiesce(given)).toThrow(remedy)
      }))
  }

  it("polka, while it listens: says that its server is to be passed, as it cannot close itself", () => {
    const polka = { server, listen: () => {} } as unknown as Target
    expect(() => quiesce(polka)).toThrow("pass the `server` of one that cannot")
  })
})

describe("a Node server that listens already", () => {
  for (const [how, where] of [["at once", [0]], ["after a look-up of its host", [0, "127.0.0.1"]]] as const) {
    it.scoped(`${how}: is told to leave that to us`, () =>
      Effect.gen(function*() {
        const nodes: Array<Http.Server> = []
        yield* Effect.addFinalizer(() => Effect.sync(() => nodes.forEach((node) => node.close())))
        const evaluate = () => {
          const node = createServer()
          nodes.push(node)
          return where.length === 1 ? node.listen(...where) : node.listen(...where)
        }
        const made = yield* Server.make()
        const message =
          "Cannot listen with this Node server: it listens already. Leave out its `listen`, and say where in"
        expect((yield* Effect.flip(made.listen(evaluate, { port: 0 }))).message).toContain(message)
        const layer = NodeHttpServer.layer(evaluate, { port: 0, host: "127.0.0.1" })
        expect((yield* Effect.flip(Effect.scoped(Layer.build(layer)))).message).toContain(message)
      }))
  }

  it.scoped("before, and no more: is used again", () =>
    Effect.gen(function*() {
      const node = createServer()
      yield* Effect.async<void>((resume) => {
        node.listen(0, "127.0.0.1", () => node.close(() => resume(Effect.void)))
      })
      yield* Effect.scoped(Layer.build(NodeHttpServer.layer(() => node, { port: 0, host: "127.0.0.1" })))
    }))
})

describe("a certificate that cannot be used", () => {
  const failure = (evaluate: () => Https.Server) =>
    Effect.gen(function*() {
      const made = yield* Server.make()
      const error = yield* Effect.flip(made.listen(evaluate, { port: 0 }))
      const served = yield* Effect.flip(Effect.scoped(Layer.build(NodeHttpServer.layer(evaluate, { port: 0 }))))
      expect(error).toBeInstanceOf(Listener.ListenError)
      expect(served._tag).toBe("ServeError")
      expect(served.message).toBe(error.message)
      return error
    })

  it.scoped("a file that is not there is named", () =>
    Effect.gen(function*() {
      const path = Path.join(yield* directory, "key.pem")
      const error = yield* failure(() => Https.createServer({ key: Fs.readFileSync(path) }))
      expect(error).toMatchObject({ reason: "NotFound", field: "server" })
      expect(error.message).toContain(`Cannot listen with the file ${JSON.stringify(path)}: ENOENT`)
      expect(error.message).toContain("Name a file that exists")
    }))

  it.scoped("a directory in place of a file is named as well", () =>
    Effect.gen(function*() {
      const path = yield* directory
      const error = yield* failure(() => Https.createServer({ key: Fs.readFileSync(path) }))
      expect(error.message).toContain("EISDIR")
    }))

  it.scoped("what is no PEM, and a key of another certificate, are said to be so", () =>
    Effect.gen(function*() {
      const [one, other] = yield* Effect.promise(() => Promise.all([makeCertificate(), makeCertificate()]))
      const wrong = [{ key: "no key", cert: "no certificate" }, { key: one.key, cert: other.cert }, { cert: "x" }]
      for (const options of wrong) {
        const error = yield* failure(() => Https.createServer(options))
        expect(error).toMatchObject({ reason: "InvalidOption", field: "server" })
        expect(error.message).toMatch(/^Cannot listen with the certificate: .*Pass key and cert as PEM/)
      }
    }))

  it.scoped("any other error of the user's function is a defect", () =>
    Effect.gen(function*() {
      const made = yield* Server.make()
      const exit = yield* Effect.exit(made.listen(() => {
        throw new TypeError("a mistake")
      }, { port: 0 }))
      expect(Exit.isFailure(exit) && defects(exit.cause)).toEqual([new TypeError("a mistake")])
    }))
})

describe("a TCP address that cannot be listened on", () => {
  it.scoped("a layer that is built twice is said to be", () =>
    Effect.gen(function*() {
      const first = yield* Server.make()
      const { address } = yield* first.listen(() => createServer(), { host: "127.0.0.1", port: 0 })
      const port = "port" in address ? address.port : 0
      const error = yield* failing({ host: "127.0.0.1", port })
      expect(error.reason).toBe("AddressInUse")
      expect(error.remedy).toContain("This process listens there itself: a layer that is built twice")
      const path = Path.join(yield* directory, "app.sock")
      yield* first.listen(() => createServer(), { path })
      expect((yield* failing({ path })).remedy).toContain("This process listens there itself")
      const live = NodeHttpServer.layer(() => createServer(), { host: "127.0.0.1", port })
      expect((yield* Effect.flip(Effect.scoped(Layer.build(live)))).message).toContain("Share one layer")
    }))

  it.scoped("a port in use names the port", () =>
    Effect.gen(function*() {
      const other = yield* occupy({ host: "127.0.0.1", port: 0 })
      const { port } = other.address() as Net.AddressInfo
      expect(yield* failing({ host: "127.0.0.1", port })).toMatchObject({
        reason: "AddressInUse",
        field: "port",
        value: port,
        remedy: "Stop the process that listens there, or choose another port (0 takes a free one)."
      })
    }))

  it.scoped("an address of another machine names the host", () =>
    Effect.gen(function*() {
      expect(yield* failing({ host: "192.0.2.1", port: 0 })).toMatchObject({
        reason: "AddressNotAvailable",
        field: "host",
        value: "192.0.2.1"
      })
    }))

  it.scoped("a host name that does not resolve names the host", () =>
    Effect.gen(function*() {
      expect(yield* failing({ host: "nowhere.invalid", port: 0 })).toMatchObject({
        reason: "AddressNotAvailable",
        field: "host",
        value: "nowhere.invalid"
      })
    }))

  it.scoped("a port that is none names the port", () =>
    Effect.gen(function*() {
      for (const port of [65_536, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY]) {
        expect(yield* failing({ host: "127.0.0.1", port })).toMatchObject({
          reason: "InvalidOption",
          field: "port",
          value: port,
          remedy: "A port is a whole number from 0 to 65535."
        })
      }
    }))

  it.scoped("no option at all is an option that is missing", () =>
    Effect.gen(function*() {
      expect((yield* failing({})).reason).toBe("InvalidOption")
    }))
})

describe("a Unix socket that cannot be listened on", () => {
  it.scoped("a path on which another process listens names the path", () =>
    Effect.gen(function*() {
      const path = Path.join(yield* directory, "app.sock")
      yield* occupy({ path })
      expect(yield* failing({ path })).toMatchObject({ reason: "AddressInUse", field: "path", value: path })
    }))

  it.scoped("a path where a file is names the path", () =>
    Effect.gen(function*() {
      const path = Path.join(yield* directory, "app.sock")
      Fs.writeFileSync(path, "")
      const error = yield* failing({ path })
      expect(error).toMatchObject({ reason: "AddressInUse", field: "path", value: path })
      expect(error.remedy).toContain("remove the file")
    }))

  it.scoped("a path in a directory that does not exist names the path", () =>
    Effect.gen(function*() {
      const path = Path.join(yield* directory, "missing", "app.sock")
      const error = yield* failing({ path })
      expect(error).toMatchObject({ field: "path", value: path, reason: "NotFound" })
      expect(error.remedy).toContain("Create the directory first")
    }))

  it.scoped("a path below a file names the path", () =>
    Effect.gen(function*() {
      const file = Path.join(yield* directory, "file")
      Fs.writeFileSync(file, "")
      const path = Path.join(file, "app.sock")
      expect(yield* failing({ path })).toMatchObject({ field: "path", value: path })
    }))

  it.scoped("a path that is too long says so", () =>
    Effect.gen(function*() {
      const path = Path.join(yield* directory, `${"x".repeat(200)}.sock`)
      const error = yield* failing({ path })
      expect(error).toMatchObject({ reason: "InvalidOption", field: "path", value: path })
      expect(error.remedy).toContain("shorter")
    }))

  it.scoped("a path that may not be written names the path", () =>
    Effect.gen(function*() {
      // root may write everywhere but here
      const path = process.getuid?.() === 0 ? "/proc/app.sock" : "/app.sock"
      const error = yield* failing({ path })
      expect(error).toMatchObject({ field: "path", value: path })
      expect(["PermissionDenied", "NotFound"]).toContain(error.reason)
    }))

  it.scoped("a descriptor that is none names the descriptor", () =>
    Effect.gen(function*() {
      expect(yield* failing({ fd: 987_654 })).toMatchObject({ reason: "InvalidOption", field: "fd", value: 987_654 })
    }))
})

describe("after a failure to listen", () => {
  it.scoped("the server listens elsewhere, and the same Node server can be used", () =>
    Effect.gen(function*() {
      const other = yield* occupy({ host: "127.0.0.1", port: 0 })
      const { port } = other.address() as Net.AddressInfo
      const server = yield* Server.make()
      const node = createServer((_, response) => response.end("ok"))
      const before = node.listenerCount("error")
      yield* Effect.flip(server.listen(() => node, { host: "127.0.0.1", port }))
      expect(node.listenerCount("error")).toBe(before)
      expect(Object.hasOwn(node, "emit")).toBe(false)
      const listener = yield* server.listen(() => node, { host: "127.0.0.1", port: 0 })
      expect((yield* answer(yield* idleAfterOne(targetOf(listener.address)))).body).toBe("ok")
    }))
})
