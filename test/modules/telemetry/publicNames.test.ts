import * as HttpServer from "@effect/platform/HttpServer"
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import { describe, expect, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as LogLevel from "effect/LogLevel"
import * as TestClock from "effect/TestClock"
import { readdirSync, readFileSync } from "node:fs"
import { createServer } from "node:http"
import { fileURLToPath } from "node:url"
import { Admin, Health, Metrics, NodeHttpServer, Server } from "../../../src/index.js"
import * as HttpRouter from "../../support/effect/httpRouter.js"
import { makeGate } from "../../support/handlers.js"
import { client, get, launch, responses, send, targetOf, until } from "../../support/running.js"
import { parse } from "../health/exposition.js"
import { collectLog } from "./collectLog.js"

// What docs/operating.md lists of names that others rely on is what there is: metrics and their labels, spans and their
// attributes, events and their fields, and the JSON of the admin listener.

const root = fileURLToPath(new URL("../../../", import.meta.url))
const page = readFileSync(`${root}docs/operating.md`, "utf8")
const sources = readdirSync(`${root}src`, { recursive: true, encoding: "utf8" })
  .filter((name) => name.endsWith(".ts"))
  .map((name) => readFileSync(`${root}src/${name}`, "utf8").replaceAll(/^ *\/?\*.*$/gm, ""))
  .join("\n")

const codes = (cell = ""): ReadonlyArray<string> => Array.from(cell.matchAll(/`([^`]+)`/g), ([, code = ""]) => code)

/** The table whose head begins so: the cells of each row. */
const table = (head: string): ReadonlyArray<ReadonlyArray<string>> => {
  const rows = page.split(new RegExp(`^\\| ${head} +\\|.*\n`, "m"))[1]?.split("\n\n")[0]?.split("\n") ?? []
  return rows.slice(1).map((row) => row.split("|").slice(1, -1).map((cell) => cell.trim()))
}

const byName = (
  rows: ReadonlyArray<ReadonlyArray<string>>,
  column: number
): ReadonlyMap<string, ReadonlyArray<string>> =>
  new Map(rows.map((row) => [row[0]?.replaceAll("`", "") ?? "", codes(row[column])]))

/** On Effect 4, levels are words as well. */
const levels = ["Debug", "Info", "Warn", "Error"]

const sorted = (names: Iterable<string>): ReadonlyArray<string> => Array.from(new Set(names)).sort()

const found = (text: string, pattern: RegExp): ReadonlyArray<string> =>
  Array.from(text.matchAll(pattern), ([, name = ""]) => name)

const metrics = byName(table("metric"), 2)
const spans = byName(table("span"), 2)
const events = byName(table("`event`"), 1)
const fields = byName(table("in"), 1)

describe("the names in docs/operating.md", () => {
  it("are all metrics", () => {
    const own = found(sources, /\b(?:gauge|counter)\(\s*"((?!quiesce_)\w+)"/g)
    const names = [
      ...found(sources, /"(quiesce_\w+)"/g),
      ...own.map((name) => `quiesce_${name}`),
      ...found(sources, /\bhistogram\("(\w+)"/g).map((name) => `quiesce_${name}_seconds`)
    ]
    // the helper of the counters puts `_total` behind their names
    const counters = new Set(found(sources, /\bcounter\(\s*"((?!quiesce_)\w+)"/g).map((name) => `quiesce_${name}`))
    expect(sorted(names.map((name) => counters.has(name) ? `${name}_total` : name))).toEqual(sorted(metrics.keys()))
    const docstring = readFileSync(`${root}src/Metrics.ts`, "utf8")
    expect(sorted(found(docstring, /^ \* \| `(\w+)`/gm))).toEqual(
      sorted([...metrics.keys()].filter((name) => !name.startsWith("quiesce_shutdown_waiting")))
    )
  })

  it("are all spans, and all attributes", () => {
    expect(sorted(found(sources, /\bstep(?:<\w+>)?\("(\w+)"/g).map((name) => `quiesce.${name}`))).toEqual(
      sorted(spans.keys())
    )
    const attributes = found(sources, /"(quiesce\.[a-z_.]+)"/g).filter((name) => name !== "quiesce.deferred")
    expect(sorted(attributes)).toEqual(sorted([...spans.values()].flat().filter((code) => code.startsWith("quiesce."))))
  })

  it("are all events of the log", () => {
    const log = ["log", "backgroundLog"].map((name) => readFileSync(`${root}src/internal/telemetry/${name}.ts`, "utf8"))
    const said = log.join("\n").split(/\bsay\(\s*server,/).slice(1).flatMap((call) =>
      found(call.split("`")[0] ?? "", /(?<!=== )"([A-Z]\w+)"/g)
    ).filter((word) => !levels.includes(word))
    expect(sorted([...said, ...found(sources, /\bevent: "([A-Z]\w+)"/g)])).toEqual(sorted(events.keys()))
  })

  it.scoped("are what a shutdown that cuts a request says, measures and shows", () => {
    const log = collectLog(LogLevel.Debug)
    return Effect.gen(function*() {
      const gate = makeGate()
      const nodeServer = createServer()
      const app = HttpRouter.empty.pipe(
        HttpRouter.get("/hold", Effect.as(gate.pass, HttpServerResponse.text("held")))
      )
      const layer = HttpServer.serve(app).pipe(
        Layer.provide(Metrics.layer({ server: "names" })),
        Layer.provideMerge(Admin.layer({ port: 0 })),
        Layer.provide(Health.layer),
        Layer.provideMerge(
          NodeHttpServer.layer(() => nodeServer, {
            host: "127.0.0.1",
            port: 0,
            lameDuck: "5 seconds",
            timeout: "5 seconds"
          })
        )
      )
      const running = yield* launch(
        layer,
        (context) => targetOf(Context.get(context, HttpServer.HttpServer).address),
        () => nodeServer.listening
      )
      const admin = targetOf(Context.get(running.context, Admin.Admin).address)
      yield* Context.get(running.context, Server.Server).onShutdown("flush", Effect.void)
      const ask = (path: string) =>
        Effect.gen(function*() {
          const one = yield* client(admin)
          yield* send(one, get(path))
          const [response] = yield* responses(one, 1)
          return response!.body.toString()
        })
      const slow = yield* client(running.target)
      yield* send(slow, get("/hold?secret=1"))
      yield* gate.untilStarted(1)

      const shown = JSON.parse(yield* ask("/connections"))
      const optional = ["moreInFlight", "stream", "more", "server"]
      const listed = (name: string) => fields.get(name)!.filter((field) => !optional.includes(field))
      expect(sorted(Object.keys(shown.connections[0]))).toEqual(sorted(listed("connections")))
      expect(sorted(Object.keys(shown.connections[0].inFlight[0]))).toEqual(sorted(listed("connections › inFlight")))
      const requests = JSON.parse(yield* ask("/requests"))
      expect(sorted(Object.keys(requests))).toEqual(sorted([...listed("both"), ...listed("/requests")]))
      expect(sorted(Object.keys(requests.requests[0]))).toEqual(sorted(listed("requests")))

      yield* running.interrupt
      yield* TestClock.adjust("1 second")
      yield* until("a line of the lame duck", () => log.find(/^LameDuck: waiting/))
      const families = parse(yield* ask("/metrics"), "text")
      const waiting = families.get("quiesce_shutdown_waiting_request_age_seconds")?.samples[0]?.labels
      const without = (labels: object | undefined) => Object.keys(labels ?? {}).filter((name) => name !== "server")
      expect(sorted([...without(waiting), "stream"])).toEqual(
        sorted(metrics.get("quiesce_shutdown_waiting_request_age_seconds")!)
      )
      for (const [name, { samples }] of families) {
        if (!name.startsWith("quiesce_") || !samples.some(({ labels }) => labels["server"] === "names")) continue
        const own = samples.flatMap(({ labels }) => labels["server"] === "names" ? without(labels) : [])
        const promised = metrics.get(name)?.filter((label) =>
          !["503", "truncated", "none", "stream", "server"].includes(label)
        )
        expect(sorted(own.filter((label) => label !== "le")), name).toEqual(sorted(promised ?? ["is not in the table"]))
      }
      yield* TestClock.adjust("10 seconds")
      yield* running.report
      yield* until("the end", () => log.find(/^Shut down/))
      const said = log.lines().map(({ annotations }) => annotations)
      expect(sorted(said.map((data) => String(data["event"])))).toEqual(expect.arrayContaining([
        "DeadlineExceeded",
        "DrainingStarted",
        "HookEnded",
        "ShutdownEnded",
        "ShutdownStarted",
        "Waiting"
      ]))
      for (const data of said) {
        const promised = [...events.get(String(data["event"])) ?? ["is not in the table"], "event"]
        expect(promised, JSON.stringify(data)).toEqual(expect.arrayContaining(Object.keys(data)))
      }
    }).pipe(Effect.provide(log.layer))
  })
})
