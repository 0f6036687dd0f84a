// What happens when the process has no descriptor left for a connection (Go's TestAcceptMaxFds), for real.
import { expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { start, startLimit } from "../../support/child.js"
import { underDescriptors } from "../../support/program.js"
import type { Target } from "../../support/rawClient.js"
import { codeOfInterrupted } from "../../support/runMain.js"
import { answer, client, get, limit, real, send, until } from "../../support/running.js"

const fixture = new URL("./fixtures/server.ts", import.meta.url)

/** Loading the modules reads many files at once; the fixture itself uses up all but `left` of these. */
const descriptors = 512
const left = 20

const startLimited = Effect.acquireRelease(
  Effect.sync(() => start(fixture, [String(left)], { under: underDescriptors(descriptors) })),
  (child) => Effect.promise(child.kill)
)

const isServed = (target: Target) =>
  Effect.gen(function*() {
    const peer = yield* client(target)
    yield* send(peer, get("/"))
    yield* until("an answer or the end", () => peer.bytes > 0 || peer.ending !== "open")
    return peer.bytes > 0
  }).pipe(Effect.scoped)

it.scoped(
  "T8: a server that has run out of descriptors lives on, serves those it has, and later ones again",
  () =>
    Effect.gen(function*() {
      const child = yield* startLimited
      const target = yield* Effect.promise(() => child.listening())
      const peers = yield* Effect.forEach(Array.from({ length: 3 * left }), () => client(target), {
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
      expect(child.exited).toBeUndefined()
      // those who have a connection keep it
      for (const peer of served()) expect((yield* answer(peer)).status).toBe(200)
      for (const peer of peers) peer.leave()
      // the server notices one by one that they have left
      yield* real("a later client to be served", Effect.repeat(isServed(target), { until: (served) => served }))
      child.signal("SIGTERM")
      expect(yield* Effect.promise(() => child.exit(limit))).toMatchObject({ code: codeOfInterrupted })
    }),
  startLimit + 4 * limit
)
