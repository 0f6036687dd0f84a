/** Who may ask an admin listener, by the `Host` of the request; and the page that says what there is. */
import * as HttpServer from "@effect/platform/HttpServer"
import { describe, expect, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Fs from "node:fs"
import { createServer } from "node:http"
import * as Os from "node:os"
import * as Path from "node:path"
import { Admin, Health, Listener, NodeHttpServer, Server } from "../../../src/index.js"
import * as HttpRouter from "../../support/effect/httpRouter.js"
import { makeApp } from "../../support/handlers.js"
import type { Target } from "../../support/rawClient.js"
import { client, responses, send, serving, targetOf } from "../../support/running.js"
import { launchWithHealth } from "./appWithHealth.js"

const ask = (target: Target, path: string, ...headers: ReadonlyArray<string>) =>
  Effect.gen(function*() {
    const one = yield* client(target)
    yield* send(one, [`GET ${path} HTTP/1.1`, ...headers, "Connection: close", "", ""].join("\r\n"))
    const [response] = yield* responses(one, 1)
    return { status: response?.status, headers: response?.headers, body: response?.body.toString() ?? "" }
  })

const statuses = (admin: Target, hosts: ReadonlyArray<string>) =>
  Effect.map(
    Effect.forEach(hosts, (host) => ask(admin, "/livez", `Host: ${host}`), { concurrency: 4 }),
    (answers) => Object.fromEntries(hosts.map((host, index) => [host, answers[index]?.status]))
  )

const all = (hosts: ReadonlyArray<string>, status: number) => Object.fromEntries(hosts.map((host) => [host, status]))

const own = [
  "localhost",
  "localhost:9000",
  "LOCALHOST.",
  "app.localhost:9000",
  "127.0.0.1:9000",
  "10.1.2.3",
  "[::1]:9000",
  "[fe80::1]",
  Os.hostname()
]
const foreign = [
  "evil.example",
  "evil.example:9000",
  "localhost.evil.example",
  "notlocalhost",
  "127.0.0.1.evil.example",
  "127.0.0.1@evil.example",
  "evil.example/localhost",
  "[evil.example]"
]

describe("the Host of a request to the admin listener", () => {
  it.scoped("is an address, localhost or the machine's name; any other is told to ask elsewhere", () =>
    Effect.gen(function*() {
      const { admin } = yield* launchWithHealth(makeApp().app)
      expect(yield* statuses(admin, own)).toEqual(all(own, 200))
      expect(yield* statuses(admin, foreign)).toEqual(all(foreign, 421))
      for (const path of ["/", "/connections", "/requests", "/metrics", "/readyz", "/nowhere"]) {
        const refused = yield* ask(admin, path, "Host: evil.example")
        expect(refused).toMatchObject({ status: 421 })
        expect(refused.body).toContain("allowedHosts")
      }
    }))

  it.scoped("is the same during a shutdown", () =>
    Effect.gen(function*() {
      const { app, gate } = makeApp()
      const running = yield* launchWithHealth(app, { timeout: "1 hour" })
      const slow = yield* client(running.target)
      yield* send(slow, "GET /hold HTTP/1.1\r\nHost: localhost\r\n\r\n")
      yield* gate.untilStarted(1)
      yield* running.drain
      expect(yield* statuses(running.admin, ["localhost", "evil.example"])).toEqual({
        localhost: 200,
        "evil.example": 421
      })
      yield* gate.open
    }))

  it.scoped("may be missing: no browser leaves it out", () =>
    Effect.gen(function*() {
      const { admin } = yield* launchWithHealth(makeApp().app)
      const one = yield* client(admin)
      yield* send(one, "GET /livez HTTP/1.0\r\n\r\n")
      expect((yield* responses(one, 1))[0]).toMatchObject({ status: 200 })
    }))

  it.scoped("is allowed by its name, by a domain above it, or whatever it is", () =>
    Effect.gen(function*() {
      const some = yield* launchWithHealth(makeApp().app, {
        admin: { port: 0, allowedHosts: ["Admin.Example.com", ".monitoring.svc"] }
      })
      const named = ["admin.example.com", "prometheus.monitoring.svc:9000", "a.b.monitoring.svc", "localhost"]
      expect(yield* statuses(some.admin, named)).toEqual(all(named, 200))
      const others = ["example.com", "x.admin.example.com", "evilmonitoring.svc"]
      expect(yield* statuses(some.admin, others)).toEqual(all(others, 421))
      const any = yield* launchWithHealth(makeApp().app, { admin: { port: 0, allowedHosts: "all" } })
      expect(yield* statuses(any.admin, foreign.slice(0, 4))).toEqual(all(foreign.slice(0, 4), 200))
    }))

  it.scoped("is not looked at on a Unix socket, which no browser can ask", () =>
    Effect.gen(function*() {
      const directory = yield* Effect.acquireRelease(
        Effect.sync(() => Fs.mkdtempSync(Path.join(Os.tmpdir(), "quiesce-"))),
        (path) => Effect.sync(() => Fs.rmSync(path, { recursive: true, force: true }))
      )
      const { admin } = yield* launchWithHealth(makeApp().app, { admin: { path: Path.join(directory, "admin.sock") } })
      expect(yield* statuses(admin, ["evil.example"])).toEqual({ "evil.example": 200 })
    }))

  it.scoped("must be configured with names", () =>
    Effect.gen(function*() {
      const { server } = yield* serving(HttpRouter.empty)
      const make = (options: unknown) =>
        Effect.flip(
          Admin.make(options as Admin.Options).pipe(
            Effect.provide(Health.layer),
            Effect.provideService(Server.Server, server)
          )
        )
      const wrong = yield* make({ port: 0, allowedHosts: "example.com" })
      expect(wrong).toBeInstanceOf(Listener.ListenError)
      expect(wrong.message).toMatch(/^Cannot listen with allowedHosts "example.com": .* Pass "all", or names/)
      const misspelt = yield* make({ port: 0, allowedHost: "all" })
      expect(misspelt.message).toMatch(
        /allowedHost "all": there is no such option. .*did you mean "allowedHosts"\? There is allowedHosts, /
      )
    }))
})

describe("the index", () => {
  it.scoped("has a line for each page, and HTML for a browser", () =>
    Effect.gen(function*() {
      const { admin } = yield* launchWithHealth(makeApp().app)
      const plain = yield* ask(admin, "/", "Host: localhost")
      expect(plain.status).toBe(200)
      const paths = [...plain.body.matchAll(/^\/(\w+): /gm)].map(([, path]) => path)
      expect(paths).toEqual(["livez", "readyz", "startupz", "status", "metrics", "connections", "requests"])
      expect(plain.body).toMatch(/^Serving\n/)
      for (const path of paths) expect(yield* ask(admin, `/${path}`, "Host: localhost")).toMatchObject({ status: 200 })

      const page = yield* ask(admin, "/", "Host: localhost", "Accept: text/html,*/*")
      expect(page.headers?.["content-type"]).toBe("text/html; charset=utf-8")
      expect(page.headers?.["content-security-policy"]).toContain("default-src 'none'")
      expect([...page.body.matchAll(/href="(\w+)"/g)].map(([, path]) => path)).toEqual(paths)
    }))

  it.scoped("links to the pages where an app of the user's own has mounted them", () =>
    Effect.gen(function*() {
      const layer = HttpRouter.empty.pipe(
        HttpRouter.mount("/admin", Admin.router()),
        HttpServer.serve(),
        Layer.provide(Health.layer),
        Layer.provideMerge(NodeHttpServer.layer(() => createServer(), { port: 0, host: "127.0.0.1" }))
      )
      const context = yield* Layer.build(layer)
      const target = targetOf(Context.get(context, HttpServer.HttpServer).address)
      const page = yield* ask(target, "/admin", "Host: any.example", "Accept: text/html")
      expect(page.status).toBe(200)
      const base = new URL("http://any.example/admin")
      const [, first] = /<a href="([^"]+)"/.exec(page.body) ?? []
      expect(new URL(first ?? "", base).pathname).toBe("/admin/livez")
      expect(yield* ask(target, new URL(first ?? "", base).pathname, "Host: any.example")).toMatchObject({
        status: 200
      })
    }))
})
