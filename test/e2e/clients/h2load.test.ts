/** h2load through a shutdown. It never sends anything twice: what it counts is what the server has answered. */
import { HttpServerResponse } from "@effect/platform"
import { assert, it } from "@effect/vitest"
import { Duration, Effect } from "effect"
import type { Server } from "../../../src/index.js"
import { describeWith } from "../../support/describeWith.js"
import type { Wire } from "../../support/nodeServer.js"
import { h2load } from "../../support/program.js"
import { silent } from "../../support/running.js"
import { adopted, makeWork, runningProgram, served, type Work } from "./serverOnWire.js"

/** More than one frame of HTTP/2. */
const body = "one line of many\n".repeat(2000)

/** One in four is answered at once, the others within some milliseconds: there are always some in flight. */
const thinkMs = (work: Work): number => (work.executed.length % 4) * 3

const plain = (wire: Wire, work: Work) =>
  adopted(wire, (request, response) => {
    work.ran(request.url)
    const ms = thinkMs(work)
    if (ms === 0) response.end(body)
    else setTimeout(() => response.end(body), ms)
  })

const app = (wire: Wire, work: Work) =>
  served(
    wire,
    Effect.suspend(() => {
      work.ran("")
      return Effect.delay(Effect.succeed(HttpServerResponse.text(body)), thinkMs(work))
    })
  )

/** The numbers of `requests: 9 total, 8 started, 8 done, …` and of `status codes: 8 2xx, …`. */
const counts = (report: string, line: string): Readonly<Record<string, number>> => {
  const [, found = ""] = new RegExp(`^${line}: (.*)$`, "m").exec(report) ?? []
  return Object.fromEntries(
    found.split(", ").map((count) => {
      const [number, name] = count.split(" ")
      return [name, Number(number)]
    })
  )
}

const loads: ReadonlyArray<{ readonly name: string; readonly wire: Wire; readonly args: ReadonlyArray<string> }> = [
  { name: "HTTP/2", wire: "h2c", args: ["-c", "4", "-m", "16"] },
  { name: "HTTP/2 over TLS", wire: "h2", args: ["-c", "4", "-m", "16"] },
  { name: "HTTP/1.1", wire: "http", args: ["--h1", "-c", "16", "-m", "1"] },
  { name: "HTTP/1.1 over TLS", wire: "https", args: ["--h1", "-c", "16", "-m", "1"] },
  { name: "pipelined HTTP/1.1", wire: "http", args: ["--h1", "-c", "4", "-m", "8"] }
]

const requests = 50_000

/** What is open, and what it waits for. */
const seenOf = (server: Server.ServerService): string =>
  JSON.stringify(Array.from(Effect.runSync(server.connections), ({ inFlight, state }) => [state, inFlight.length]))

describeWith(h2load, () => {
  for (const { args, name, wire } of loads) {
    for (const [what, serve] of Object.entries({ "a plain Node server": plain, "an Effect app": app })) {
      it.scopedLive(`${name}: all that ${what} has executed was answered, and it drains at once`, () =>
        Effect.gen(function*() {
          const work = makeWork()
          const { origin, server, stop } = yield* serve(wire, work)
          const client = yield* runningProgram(h2load, ["-n", String(requests), ...args, `${origin}/`])
          yield* work.untilRan(1000, () => `; ${seenOf(server)}; ${client.state()}`)
          const report = yield* stop
          const ran = yield* Effect.promise(() => client.ran(15_000))
          const seen = ran.stdout.toString()
          const { succeeded, timeout } = counts(seen, "requests")
          assert.strictEqual(succeeded, work.executed.length, seen)
          assert.strictEqual(counts(seen, "status codes")["2xx"], succeeded)
          assert.strictEqual(timeout, 0)
          assert.isBelow(work.executed.length, requests)
          assert.deepStrictEqual([report.outcome, report.connections.cut], ["Drained", 0])
          assert.isBelow(Duration.toMillis(report.duration), 5000)
        }).pipe(Effect.provide(silent)))
    }
  }
})
