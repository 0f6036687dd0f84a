/** The page of an admin listener without a browser: what it says, its event stream, and who may use its button. */
import * as HttpServer from "@effect/platform/HttpServer"
import { assert, describe, expect, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import { createHash } from "node:crypto"
import * as Http from "node:http"
import { Admin, Health, NodeHttpServer, Server } from "../../../src/index.js"
import { oneServer } from "../../../src/internal/admin/administered.js"
import { events } from "../../../src/internal/admin/live.js"
import { quiesce } from "../../../src/promise.js"
import * as HttpRouter from "../../support/effect/httpRouter.js"
import { makeApp } from "../../support/handlers.js"
import { listenOnLoopback, portOf } from "../../support/nodeServer.js"
import { client, get, launch, limit, send, silent, targetOf, until } from "../../support/running.js"
import { deferred, waitFor } from "../../support/wait.js"
import { launchWithHealth } from "./appWithHealth.js"

interface Site {
  /** Of the admin listener. */
  readonly port: number
  readonly phase: () => string
  /** A request is in flight, whose path has this query. */
  readonly hold: (query: string) => Effect.Effect<void, never, Scope.Scope>
  readonly drain: () => void
  /** What is held is answered, and the server closes. */
  readonly finish: () => void
}

type Options = Pick<Admin.Options, "actions" | "showQuery">

const ofEffect = (options: Options): Effect.Effect<Site, unknown, Scope.Scope> =>
  Effect.gen(function*() {
    const { app, gate } = makeApp()
    const running = yield* launchWithHealth(app, { timeout: "1 hour", admin: { port: 0, ...options } })
    const { admin, server, target } = running
    return {
      port: "port" in admin ? admin.port : 0,
      phase: () => Effect.runSync(server.phase.get),
      hold: (query) =>
        Effect.gen(function*() {
          yield* send(yield* client(target), get(`/hold?${query}`))
          yield* gate.untilStarted(1)
        }),
      drain: () => void Effect.runFork(running.drain),
      // as `runMain` does it
      finish: () => void Effect.runFork(Effect.zipRight(gate.open, running.interrupt))
    }
  })

const ofPromises = (options: Options): Effect.Effect<Site, unknown, Scope.Scope> =>
  Effect.gen(function*() {
    const released = deferred()
    const node = yield* Effect.promise(() =>
      listenOnLoopback(Http.createServer((_, response) => void released.promise.then(() => response.end("held"))))
    )
    const server = quiesce(node, { timeout: "1 hour", logger: false, admin: { port: 0, ...options } })
    yield* Effect.addFinalizer(() => Effect.promise(() => server.close()))
    return {
      port: (yield* Effect.promise(() => server.admin!)).port,
      phase: server.phase,
      hold: (query) =>
        Effect.gen(function*() {
          yield* send(yield* client({ port: portOf(node) }), get(`/hold?${query}`))
          yield* Effect.promise(() =>
            waitFor("the request", () => server.connections().some(({ state }) => state === "Active"), limit)
          )
        }),
      drain: () => void server.shutdown(),
      finish: () => released.resolve()
    }
  })

interface Got {
  readonly status: number
  readonly headers: Http.IncomingHttpHeaders
  readonly body: string
}

const ask = (port: number, path: string, options: Http.RequestOptions = {}, body = ""): Effect.Effect<Got> =>
  Effect.promise(() =>
    new Promise((resolve, reject) => {
      const request = Http.request({ agent: false, host: "127.0.0.1", path, port, ...options }, (response) => {
        let text = ""
        response.setEncoding("utf8").on("data", (chunk: string) => void (text += chunk)).once(
          "end",
          () => resolve({ status: response.statusCode ?? 0, headers: response.headers, body: text })
        )
      })
      request.once("error", reject).end(body)
    })
  )

const html = { headers: { accept: "text/html" } }

interface Message {
  readonly event: string
  readonly phase?: string
  readonly parts?: Readonly<Record<string, string>>
}

/** What a page that watches is sent. */
const watching = (port: number, path = "/events") =>
  Effect.acquireRelease(
    Effect.sync(() => {
      let text = ""
      const ended = deferred<boolean>()
      const request = Http.get({ agent: false, host: "127.0.0.1", path, port }, (response) => {
        assert.strictEqual(response.headers["content-type"], "text/event-stream")
        response.setEncoding("utf8").on("data", (chunk: string) => void (text += chunk))
        response.once("close", () => ended.resolve(response.complete))
      })
      request.on("error", () => {})
      const messages = (): ReadonlyArray<Message> =>
        text.split("\n\n").slice(0, -1).map((block) => {
          const event = /^event: (.*)$/m.exec(block)?.[1] ?? "message"
          const data = /^data: (.+)$/m.exec(block)?.[1]
          return { event, ...(data === undefined ? undefined : JSON.parse(data) as object) }
        })
      const until = (what: string, test: (message: Message) => boolean) =>
        Effect.promise(() => waitFor(() => `${what}, but: ${text}`, () => messages().some(test), limit))
      return { ended: Effect.promise(() => waitFor("the end", ended.promise, limit)), messages, request, until }
    }),
    ({ request }) => Effect.sync(() => request.destroy())
  )

/** Until one more may watch. */
const untilWatched = async (port: number): Promise<void> => {
  const status = await new Promise<number>((resolve, reject) => {
    const request = Http.get({ agent: false, host: "127.0.0.1", path: "/events", port }, ({ statusCode = 0 }) => {
      resolve(statusCode)
      request.destroy()
    }).once("error", reject)
  })
  if (status !== 200) return untilWatched(port)
}

const form = (body: string, headers: Http.OutgoingHttpHeaders = {}) =>
  [{
    method: "POST",
    headers: {
      "content-type": "application/x-www-form-urlencoded",
      "content-length": Buffer.byteLength(body),
      host: "localhost:1",
      ...headers
    }
  }, body] as const

const hashOf = (text: string) => `'sha256-${createHash("sha256").update(text).digest("base64")}'`

for (const [api, start] of [["Effect", ofEffect], ["quiesce/promise", ofPromises]] as const) {
  describe(api, () => {
    it.scopedLive("the page is whole without scripts, runs and loads nothing of others, and escapes what clients send", () =>
      Effect.gen(function*() {
        const site = yield* start({ showQuery: true })
        yield* site.hold("<script>'&\"")
        const { body, headers } = yield* ask(site.port, "/", html)
        const policy = String(headers["content-security-policy"])
        const scripts = [...body.matchAll(/<script>([^]*?)<\/script>/g)].map(([, text = ""]) => hashOf(text))
        const styles = [...body.matchAll(/<style>([^]*?)<\/style>/g)].map(([, text = ""]) => hashOf(text))
        expect(policy.split("; ")).toEqual(expect.arrayContaining([
          "default-src 'none'",
          `script-src ${scripts.join(" ")}`,
          `style-src ${styles.join(" ")}`,
          "frame-ancestors 'none'"
        ]))
        expect([scripts.length, styles.length]).toEqual([1, 1])
        expect(body).not.toMatch(/\b(src|href|action)="(https?:)?\/\//)
        expect(body).toContain(`<noscript><meta http-equiv="refresh" content="2"></noscript>`)
        expect(body).toContain("<h1>Serving</h1>")
        expect(body).toContain("<code>/hold?&lt;script&gt;&#39;&amp;&quot;</code>")
        expect(body).not.toContain("<form")
        expect((yield* ask(site.port, "/drain", ...form("token="))).status).toBe(404)
        site.finish()
      }).pipe(Effect.provide(silent)))

    it.scopedLive("the event stream tells of the whole drain, and ends when nobody answers any more", () =>
      Effect.gen(function*() {
        const site = yield* start({})
        const page = yield* watching(site.port)
        yield* page.until("the first state", ({ phase }) => phase === "Serving")
        expect(page.messages()[0]?.parts).toHaveProperty("connections")
        yield* site.hold("secret")
        yield* page.until("the request", ({ parts }) => parts?.["requests"]?.includes("<code>/hold</code>") === true)
        site.drain()
        yield* page.until("the drain", ({ phase }) => phase === "Draining")
        // a watching page holds up nothing, and is answered through the drain
        expect((yield* ask(site.port, "/", html)).body).toContain("<h1>Draining</h1>")
        site.finish()
        expect(yield* page.ended).toBe(true)
        const last = page.messages().at(-1)
        expect(last).toMatchObject({ event: "end", phase: "Gone", failed: false })
        const report = page.messages().map(({ parts }) => parts?.["report"]).findLast((part) => part !== undefined)
        expect(report).toContain("<td>Drained</td>")
        expect(last?.parts?.["status"]).toMatch(
          /answers no more\. Shut down in .*: every request got its whole response/
        )
        expect(JSON.stringify(page.messages())).not.toContain("secret")
      }).pipe(Effect.provide(silent)))

    it.scopedLive("no more than 32 pages watch at once, and one that leaves makes room", () =>
      Effect.gen(function*() {
        const site = yield* start({})
        const pages = yield* Effect.forEach(Array.from({ length: 32 }), () => watching(site.port))
        for (const page of pages) yield* page.until("the first state", ({ phase }) => phase === "Serving")
        expect((yield* ask(site.port, "/events")).status).toBe(503)
        pages[0]?.request.destroy()
        yield* Effect.promise(() => waitFor("room for another one", untilWatched(site.port), limit))
        site.finish()
      }).pipe(Effect.provide(silent)))

    it.scopedLive("one client that asks for all of them at once, and leaves, makes room", () =>
      Effect.gen(function*() {
        const site = yield* start({})
        const greedy = yield* client({ port: site.port })
        yield* send(greedy, "GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n".repeat(33))
        yield* Effect.promise(() => greedy.untilText("Serving", limit))
        greedy.leave()
        yield* Effect.promise(() => waitFor("room for another one", untilWatched(site.port), limit))
        site.finish()
      }).pipe(Effect.provide(silent)))

    it.scopedLive("the button is for the page alone", () =>
      Effect.gen(function*() {
        const site = yield* start({ actions: true })
        yield* site.hold("")
        const { body } = yield* ask(site.port, "/", html)
        const token = /name="token" value="([^"]+)"/.exec(body)?.[1] ?? ""
        expect(token.length).toBeGreaterThan(20)
        const own = { origin: "http://localhost:1", "sec-fetch-site": "same-origin" }
        const right = `token=${token}`
        const refused: Readonly<Record<string, readonly [number, readonly [Http.RequestOptions, string]]>> = {
          "no token": [403, form("", own)],
          "another token": [403, form("token=guessed", own)],
          "another origin": [403, form(right, { ...own, origin: "http://evil.example" })],
          "no origin of its own": [403, form(right, { ...own, origin: "null" })],
          "another port": [403, form(right, { ...own, origin: "http://localhost:2" })],
          "another site": [403, form(right, { "sec-fetch-site": "cross-site" })],
          "another host of the same site": [403, form(right, { "sec-fetch-site": "same-site" })],
          "a host that is not its own": [421, form(right, { host: "evil.example", origin: "http://evil.example" })],
          "no form": [403, form(right, { ...own, "content-type": "text/plain" })],
          "a long one": [413, form(`${right}&${"x".repeat(2000)}`, own)]
        }
        for (const [what, [status, asked]] of Object.entries(refused)) {
          expect([what, (yield* ask(site.port, "/drain", ...asked)).status]).toEqual([what, status])
        }
        expect((yield* ask(site.port, "/drain")).status).toBe(404)
        expect(site.phase()).toBe("Serving")
        const done = yield* ask(site.port, "/drain", ...form(right, own))
        expect(done).toMatchObject({ status: 303, headers: { location: "./" } })
        yield* Effect.promise(() => waitFor("the drain", () => site.phase() === "Draining", limit))
        expect((yield* ask(site.port, "/", html)).body).not.toContain("<form")
        site.finish()
      }).pipe(Effect.provide(silent)))
  })
}

it.scopedLive("where an app has mounted it, a page that is watched does not hold the drain of that app", () =>
  Effect.gen(function*() {
    const node = Http.createServer()
    // event streams are left to themselves
    const policy = { timeout: "1 hour", endEventStreams: false } as const
    const layer = HttpRouter.empty.pipe(
      HttpRouter.mount("/admin", Admin.router()),
      HttpServer.serve(),
      Layer.provide(Health.layer),
      Layer.provideMerge(NodeHttpServer.layer(() => node, { port: 0, host: "127.0.0.1", ...policy }))
    )
    const running = yield* launch(
      layer,
      (context) => targetOf(Context.get(context, HttpServer.HttpServer).address),
      () => node.listening
    )
    const page = yield* watching("port" in running.target ? running.target.port : 0, "/admin/events")
    yield* page.until("the first state", ({ phase }) => phase === "Serving")
    yield* running.interrupt
    expect(yield* page.ended).toBe(true)
    const last = page.messages().at(-1)
    expect(last).toMatchObject({ event: "end", phase: "Gone", parts: {} })
    expect(last?.parts?.["status"]).toContain("answered no more: its server is draining")
    expect((yield* running.report).outcome).toBe("Drained")
  }).pipe(Effect.provide(silent)))

it.scopedLive("what is shown is asked for with true or false, and nothing else", () =>
  Effect.gen(function*() {
    const { app } = makeApp()
    for (const field of ["actions", "reasons", "showQuery"]) {
      const options = { [field]: "false" as unknown as boolean }
      expect(yield* Effect.flip(launchWithHealth(app, { admin: { port: 0, ...options } }))).toMatchObject({
        reason: "InvalidOption",
        field,
        value: "false"
      })
    }
    for (const field of ["reasons", "showQuery"]) {
      expect(() => Admin.router({ [field]: "false" as unknown as boolean })).toThrow(
        `${field} is "false", and must be true, or false`
      )
    }
  }).pipe(Effect.provide(silent)))

it.scopedLive("actions do not go with every host", () =>
  Effect.gen(function*() {
    const { app } = makeApp()
    const failure = yield* Effect.flip(
      launchWithHealth(app, { admin: { port: 0, actions: true, allowedHosts: "all" } })
    )
    expect(String(failure)).toContain("DNS rebinding")
    const node = Http.createServer()
    for (
      const [admin, message] of [
        [{ port: 0, actions: true, allowedHosts: "all" }, /`admin.allowedHosts`.*DNS rebinding|allowedHosts/],
        [{ port: 0, actions: "yes" as never }, /actions/]
      ] as const
    ) {
      expect(() => quiesce(node, { admin })).toThrow(message)
    }
  }).pipe(Effect.provide(silent)))

describe("the event stream of the page", () => {
  it.scoped("is watched by 32 at the most, also where more were let in before one of them began", () =>
    Effect.gen(function*() {
      const server = yield* Server.make()
      const viewers = { count: 0 }
      const asked = events(oneServer(server), viewers, (path) => path, Effect.never)
      const all = yield* Effect.all(Array.from({ length: 40 }, () => asked))
      expect(all.every((events) => events !== undefined)).toBe(true)
      const closed = yield* Scope.make()
      const began: Array<string> = []
      for (const each of all) {
        if (each === undefined) continue
        const told = Effect.map(each.next, (text) => void began.push(text))
        yield* Effect.forkIn(Effect.ensuring(Effect.repeat(told, { until: each.isOver }), each.release), closed)
      }
      yield* until("all to have begun", () => began.length === 40)
      expect(began.filter((text) => text.includes("data:"))).toHaveLength(32)
      expect(viewers.count).toBe(32)
      yield* Scope.close(closed, Exit.void)
      expect(viewers.count).toBe(0)
    }))
})
