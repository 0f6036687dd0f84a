/**
 * The page of an admin listener in Chromium, through a whole drain: on a phone in the dark, on a desktop in the light, and
 * without scripts. With `PICTURES=docs/images`, it takes the pictures of docs/operating.md.
 */
import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import { once } from "node:events"
import * as Fs from "node:fs"
import * as Http from "node:http"
import * as Net from "node:net"
import { join } from "node:path"
import { quiesce } from "../../../src/promise.js"
import { describeWith } from "../../support/describeWith.js"
import { listenOnLoopback, portOf } from "../../support/nodeServer.js"
import { chromium } from "../../support/program.js"
import { deferred, waitFor } from "../../support/wait.js"
import { type AccessibleNode, open, type Page } from "./browser.js"

const limit = 20_000

const folder = process.env["PICTURES"]

/** An app with a bit of everything to show. */
const makeSite = Effect.gen(function*() {
  const answers = deferred()
  const flushed = deferred()
  const finished = deferred()
  const node = yield* Effect.promise(() =>
    listenOnLoopback(Http.createServer((request, response) => {
      if (request.url === "/") response.end("hello")
      else void answers.promise.then(() => response.end("whole"))
    }))
  )
  const server = quiesce(node, {
    admin: { port: 0, actions: true },
    timeout: folder === undefined ? "5 minutes" : "20 seconds",
    logger: false,
    finally: () => finished.promise
  })
  server.onShutdown("flush metrics", () => Promise.resolve())
  server.onShutdown("leave the cluster", () => flushed.promise)
  server.track("orders", answers.promise)
  server.worker("mails", (signal) => new Promise((resolve) => signal.addEventListener("abort", resolve)))
  const agent = new Http.Agent({ keepAlive: true })
  const ask = (method: string, path: string) =>
    new Promise<void>((resolve) => {
      const request = Http.request({ agent, host: "127.0.0.1", method, path, port: portOf(node) }, (response) => {
        response.resume().once("end", resolve)
      })
      request.on("error", () => resolve()).end()
    })
  for (const path of ["/reports/2026/q3?token=secret", "/orders/4711/invoice"]) void ask("GET", path)
  void ask("POST", `/uploads/${"a".repeat(50)}`)
  yield* Effect.promise(() => ask("GET", "/"))
  yield* Effect.addFinalizer(() =>
    Effect.promise(() => {
      agent.destroy()
      for (const each of [answers, flushed, finished]) each.resolve()
      return server.close()
    })
  )
  const { port } = yield* Effect.promise(() => server.admin!)
  return { answers, finished, flushed, server, url: `http://localhost:${port}/` }
})

/** A network between the browser and the server, which can break. */
const wayTo = (target: number) =>
  Effect.acquireRelease(
    Effect.promise(async () => {
      const sockets = new Set<Net.Socket>()
      const relay = Net.createServer((near) => {
        const far = Net.connect(target, "127.0.0.1")
        for (const socket of [near, far]) {
          sockets.add(socket)
          socket.on("error", () => {}).on("close", () => sockets.delete(socket))
        }
        near.pipe(far).pipe(near)
      })
      await listenOnLoopback(relay)
      const port = portOf(relay)
      return {
        port,
        cut: async () => {
          const closed = once(relay, "close")
          relay.close()
          for (const socket of sockets) socket.destroy()
          await closed
        },
        restore: async () => {
          relay.listen(port, "127.0.0.1")
          await once(relay, "listening")
        },
        relay
      }
    }),
    ({ cut, relay }) => Effect.promise(async () => relay.listening ? cut() : undefined)
  )

const evaluate = (page: Page, expression: string) =>
  Effect.runPromise(page.evaluate(expression)) as Promise<readonly [unknown, unknown]>

/** A page that loads itself again may do so at any time. */
const navigated = (error: unknown): undefined => {
  if (
    !/navigated|context was destroyed|find default execution context|TypeError: Cannot read properties of null/i.test(
      String(error)
    )
  ) throw error
}

/** Waits until the page shows this. */
const untilShown = (page: Page, what: string, test: string) =>
  Effect.promise(async () => {
    let text: unknown
    const look = async (): Promise<void> => {
      const found = await evaluate(page, `[${test}, document.body.innerText]`).catch(navigated)
      text = found?.[1]
      if (found?.[0] !== true) return look()
    }
    await waitFor(() => `${what}, but the page says: ${String(text)}`, look(), limit)
  })

const headingIs = (text: string) => `document.querySelector("h1").textContent === ${JSON.stringify(text)}`

const says = (text: string) => `document.body.innerText.includes(${JSON.stringify(text)})`

const picture = (page: Page, name: string) =>
  folder === undefined
    ? Effect.void
    : Effect.map(page.screenshot, (png) => Fs.writeFileSync(join(folder, `admin-${name}.png`), png))

/** What a screen reader says of these kinds of elements. */
const told = (nodes: ReadonlyArray<AccessibleNode>, ...roles: ReadonlyArray<string>) =>
  nodes.filter(({ role }) => roles.includes(role)).map(({ name, role }) => `${role}: ${name}`)

/** Nothing is wider than the window, and every element that is written is read. */
const fits = (page: Page, width: number) =>
  Effect.map(page.evaluate("document.documentElement.scrollWidth"), (found) => assert.isAtMost(Number(found), width))

describeWith(chromium, () => {
  it.scopedLive(
    "a phone and a desktop see the whole drain, and that the process is gone",
    () =>
      Effect.gen(function*() {
        const { answers, finished, flushed, server, url } = yield* makeSite
        const [phone, desktop] = yield* Effect.all(
          [open(url, { width: 390, dark: true }), open(url, { width: 1280 })],
          { concurrency: 2 }
        )
        const both = [phone, desktop]
        const all = (what: string, test: string) => Effect.forEach(both, (page) => untilShown(page, what, test))

        yield* all("three requests", `document.querySelectorAll("#requests tbody tr").length === 3`)
        assert.deepStrictEqual(told(yield* desktop.accessible, "heading", "table", "rowheader", "button", "status"), [
          "heading: Serving",
          "heading: Connections",
          "table: Open connections by protocol and state",
          "rowheader: http/1.1",
          "heading: Requests in flight",
          "table: The oldest first",
          "rowheader: GET /reports/2026/q3",
          "rowheader: GET /orders/4711/invoice",
          `rowheader: POST /uploads/${"a".repeat(50)}`,
          "heading: Hooks",
          "table: What runs when draining starts",
          "rowheader: flush metrics",
          "rowheader: leave the cluster",
          "heading: Background work",
          "table: A shutdown waits for it",
          "rowheader: orders",
          "rowheader: mails",
          "heading: For programs"
        ])
        yield* fits(phone, 390)
        yield* fits(desktop, 1280)
        const grounds = yield* Effect.forEach(
          both,
          (page) => page.evaluate("getComputedStyle(document.body).backgroundColor")
        )
        assert.deepStrictEqual(grounds, ["rgb(21, 24, 27)", "rgb(250, 250, 248)"])
        yield* picture(desktop, "serving")

        // a person opens it, and presses the button; what is selected stays while the page is kept up to date
        yield* phone.evaluate(`getSelection().selectAllChildren(document.querySelector("#requests code"))`)
        yield* desktop.evaluate(`document.querySelector("summary").click()`)
        assert.include(told(yield* desktop.accessible, "button"), "button: Drain now")
        yield* desktop.evaluate(`document.querySelector("button").click()`)
        yield* all("the drain", `${headingIs("Draining")} && ${says("left. The shutdown has lasted")}`)
        yield* all("the hooks", `${says("Succeeded")} && ${says("Running")}`)
        yield* untilShown(
          phone,
          "the time to go on",
          "document.querySelector('progress').value < document.querySelector('progress').max"
        )
        assert.strictEqual(yield* phone.evaluate("String(getSelection())"), "/reports/2026/q3")
        assert.strictEqual(yield* desktop.evaluate(`document.querySelector("form")`), null)
        assert.deepStrictEqual(told(yield* phone.accessible, "progressbar", "progressIndicator", "ProgressIndicator"), [
          "progressbar: Time left until the deadline"
        ])
        yield* fits(phone, 390)
        yield* phone.evaluate("getSelection().empty()")
        yield* picture(phone, "draining")

        answers.resolve()
        flushed.resolve()
        yield* all("the report", `${headingIs("Closed")} && ${says("Outcome")} && ${says("Drained")}`)
        assert.include(told(yield* desktop.accessible, "heading", "table"), "table: What the shutdown did")
        finished.resolve()
        yield* Effect.promise(() => server.closed)
        yield* all("the end", headingIs("Gone"))
        assert.match(
          String(yield* desktop.evaluate(`document.querySelector("[role=status] p").textContent`)),
          /^The process \d+ on \S+ answers no more\. Shut down in .*: every request got its whole response\.$/
        )
        assert.match(String(yield* phone.evaluate("document.title")), /^Gone · process \d+ on /)
        assert.isTrue(yield* phone.evaluate(says("Outcome")))
        yield* picture(desktop, "gone")
        yield* fits(desktop, 1280)
        assert.deepStrictEqual(both.flatMap((page) => page.complaints()), [])
      }),
    120_000
  )

  it.scopedLive("without scripts the page is the same, and asks again by itself", () =>
    Effect.gen(function*() {
      const { server, url } = yield* makeSite
      const page = yield* open(url, { javascript: false })
      yield* untilShown(page, "three requests", `document.querySelectorAll("#requests tbody tr").length === 3`)
      void server.shutdown()
      yield* untilShown(page, "the drain", headingIs("Draining"))
      assert.deepStrictEqual(page.complaints(), [])
    }), 120_000)

  it.scopedLive("a page says when nobody answers, and goes on when somebody does", () =>
    Effect.gen(function*() {
      const { url } = yield* makeSite
      const way = yield* wayTo(Number(new URL(url).port))
      const page = yield* open(`http://localhost:${way.port}/`)
      yield* untilShown(page, "a message", "last.phase === 'Serving'")
      yield* Effect.promise(way.cut)
      yield* untilShown(page, "no answer", `${headingIs("No answer")} && ${says("known of the server: Serving")}`)
      yield* Effect.promise(way.restore)
      yield* untilShown(page, "an answer", headingIs("Serving"))
    }), 120_000)
})
