// What happens when the process has no descriptor left for a connection (Go's TestAcceptMaxFds), for real.
import { expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { spawn } from "node:child_process"
import { fileURLToPath } from "node:url"
import { startLimit } from "../support/child.js"
import { answer, client, get, limit, real, send, until } from "../support/running.js"
import { waitFor } from "../support/wait.js"

const fixture = fileURLToPath(new URL("./fixtures/server.ts", import.meta.url))

/** Loading the modules reads many files at once; the fixture itself uses up all but `left` of these. */
const descriptors = 512
const left = 20

const startLimited = Effect.acquireRelease(
  Effect.sync(() => {
    const child = spawn("bash", [
      "-c",
      `ulimit -n ${descriptors}; exec "$0" --import tsx "$1" ${left}`,
      process.execPath,
      fixture
    ], { stdio: ["ignore", "pipe", "pipe"] })
    const output: Array<string> = []
    child.stdout.setEncoding("utf8").on("data", (text: string) => output.push(text))
    child.stderr.setEncoding("utf8").on("data", (text: string) => output.push(text))
    const exit = new Promise<number | NodeJS.Signals | null>((resolve) =>
      child.once("close", (code, signal) => resolve(code ?? signal))
    )
    return { child, exit, output: () => output.join("") }
  }),
  ({ child, exit }) =>
    Effect.promise(() => {
      child.kill("SIGKILL")
      return waitFor("the end of a killed child", exit, limit)
    })
)

const isServed = (port: number) =>
  Effect.gen(function*() {
    const peer = yield* client({ port })
    yield* send(peer, get("/"))
    yield* until("an answer or the end", () => peer.bytes > 0 || peer.ending !== "open")
    return peer.bytes > 0
  }).pipe(Effect.scoped)

it.scoped(
  "T8: a server that has run out of descriptors lives on, serves those it has, and later ones again",
  () =>
    Effect.gen(function*() {
      const { child, exit, output } = yield* startLimited
      const port = Number(
        yield* until(
          () => `the child to listen; it said ${output()}`,
          () => /"listening".*"port":(\d+)/.exec(output())?.[1],
          startLimit
        )
      )
      const peers = yield* Effect.forEach(Array.from({ length: 3 * left }), () => client({ port }), {
        concurrency: "unbounded"
      })
      yield* Effect.forEach(peers, (peer) => send(peer, get("/")), { concurrency: "unbounded", discard: true })
      const served = () => peers.filter((peer) => peer.bytes > 0)
      yield* until(
        () => `every client to be served or turned away; ${served().length} are served`,
        () => peers.every((peer) => peer.bytes > 0 || peer.ending !== "open")
      )
      // it did run out: some are served, and some are not
      expect(served().length).toBeGreaterThan(0)
      expect(served().length).toBeLessThan(peers.length)
      expect(child.exitCode).toBeNull()
      // those who have a connection keep it
      for (const peer of served()) expect((yield* answer(peer)).status).toBe(200)
      for (const peer of peers) peer.leave()
      // the server notices one by one that they have left
      yield* real("a later client to be served", Effect.repeat(isServed(port), { until: (served) => served }))
      child.kill("SIGTERM")
      expect(yield* Effect.promise(() => waitFor(`the child's exit; it said ${output()}`, exit, limit))).toBe(0)
    }),
  startLimit + 4 * limit
)
