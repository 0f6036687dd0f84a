/**
 * What the parts of a request cost: a profile of the server's process, added up by where the code is that ran; how much
 * a tracer adds; and what Effect's streams cost by themselves, without a server.
 */
import { Channel, Chunk, Effect, Either, Exit, Scope, Stream } from "effect"
import * as Fs from "node:fs"
import type { Profiler } from "node:inspector"
import { tmpdir } from "node:os"
import * as Path from "node:path"
import { fileURLToPath } from "node:url"
import { count, spread, table } from "../support/table.js"
import { type App, apps, start, type Which } from "./request.js"

const profiled = fileURLToPath(new URL("./profiled.mjs", import.meta.url))
const warmUpRequests = 5120
const requests = 10_240

/** Each sample belongs to the first of these that its frame, or the nearest one above it with a file, is of. */
const parts: ReadonlyArray<readonly [part: string, is: (name: string, url: string) => boolean]> = [
  ["writing to the socket (system call)", (name) => /^(writev|write(Utf8|Latin1|Ascii)String|writeBuffer)$/.test(name)],
  ["garbage collector", (name) => name === "(garbage collector)"],
  ["native code without JavaScript: reading, HTTP parser, event loop", (name) => name === "(program)"],
  ["`node:http`, `node:net` and the rest of Node", (_, url) => url.startsWith("node:")],
  ["Effect: streams and channels", (_, url) => /\/effect\/.*(stream|channel|sink|executor|continuation)/i.test(url)],
  ["Effect: fiber, run loop, context, references", (_, url) => url.includes("/node_modules/effect/")],
  ["`@effect/platform`: router", (_, url) => /find-my-way|httpRouter/i.test(url)],
  ["`@effect/platform` and `-node`: the rest", (_, url) => url.includes("/@effect/")],
  ["the app", (_, url) => url.includes("/test/bench/")],
  ["quiesce", (_, url) => url.includes("/dist/")],
  ["other", () => true]
]

/** µs of each part, a request. */
const added = ({ nodes, samples = [], timeDeltas = [] }: Profiler.Profile): ReadonlyMap<string, number> => {
  const parents = new Map(nodes.flatMap(({ children = [], id }) => children.map((child) => [child, id] as const)))
  const byId = new Map(nodes.map((node) => [node.id, node]))
  const partOf = (id: number): string | undefined => {
    let { functionName, url } = byId.get(id)?.callFrame ?? { functionName: "", url: "" }
    if (functionName === "(idle)") return undefined
    for (let at = parents.get(id); url === "" && !functionName.startsWith("(") && at !== undefined;) {
      if (parts[0]?.[1](functionName, url) === true) break
      ;({ functionName, url } = byId.get(at)?.callFrame ?? { functionName: "", url: "" })
      at = parents.get(at)
    }
    if (url === "node:inspector") return undefined
    return parts.find(([, is]) => is(functionName, url))?.[0]
  }
  const known = new Map(nodes.map(({ id }) => [id, partOf(id)]))
  const micros = new Map<string, number>()
  samples.forEach((id, index) => {
    const part = known.get(id)
    if (part !== undefined) micros.set(part, (micros.get(part) ?? 0) + (timeDeltas[index] ?? 0) / requests)
  })
  return micros
}

const profile = async (which: Which, app: App): Promise<ReadonlyMap<string, number>> => {
  const file = Path.join(Fs.mkdtempSync(Path.join(tmpdir(), "quiesce-")), "profile")
  const { cpu, load, stop } = await start(which, app, { BENCH_PROFILE: file }, ["--import", profiled])
  await load(warmUpRequests)
  await cpu("begin")
  await load(requests)
  await cpu("end")
  await stop()
  const read = JSON.parse(Fs.readFileSync(file, "utf8")) as Profiler.Profile
  Fs.rmSync(Path.dirname(file), { recursive: true })
  return added(read)
}

const cpuMicros = async (which: Which, app: App, traced: boolean): Promise<number> => {
  const { cpu, load, stop } = await start(which, app, traced ? { BENCH_TRACER: "1" } : {})
  await load(warmUpRequests)
  const before = await cpu()
  await load(requests)
  const used = (await cpu() - before) / requests
  await stop()
  return used
}

const piece = new TextEncoder().encode("hello")
const chunk = Chunk.of(piece)
const streams: Readonly<Record<string, () => Stream.Stream<Uint8Array>>> = {
  "none: `Stream.empty`": () => Stream.empty,
  "one chunk: `Stream.fromChunk`": () => Stream.fromChunk(chunk),
  "one chunk: `Stream.make`": () => Stream.make(piece, piece),
  "8 chunks: `Stream.fromChunks`": () => Stream.fromChunks(...Array.from({ length: 8 }, () => chunk)),
  "16 chunks: `Stream.fromChunks`": () => Stream.fromChunks(...Array.from({ length: 16 }, () => chunk))
}
const ways: Readonly<Record<string, (stream: Stream.Stream<Uint8Array>) => Effect.Effect<unknown>>> = {
  "`Stream.runForEachChunk`": (stream) => Stream.runForEachChunk(stream, () => Effect.void),
  "`Stream.toPull`": (stream) =>
    Effect.scoped(Effect.flatMap(Stream.toPull(stream), (pull) => Effect.ignore(Effect.forever(pull)))),
  "`Channel.toPullIn`": (stream) =>
    Effect.flatMap(
      Scope.make(),
      (scope) =>
        Effect.flatMap(Channel.toPullIn(Stream.toChannel(stream), scope), (pull) => {
          const all: Effect.Effect<void> = Effect.flatMap(
            pull,
            (next) => Either.isLeft(next) ? Scope.close(scope, Exit.void) : all
          )
          return all
        })
    ),
  "the same, its scope not closed": (stream) =>
    Effect.flatMap(
      Scope.make(),
      (scope) =>
        Effect.flatMap(Channel.toPullIn(Stream.toChannel(Stream.orDie(stream)), scope), (pull) => {
          const all: Effect.Effect<void> = Effect.flatMap(pull, (next) => Either.isLeft(next) ? Effect.void : all)
          return all
        })
    )
}

const runMicros = async (effect: Effect.Effect<unknown>, times: number): Promise<number> => {
  const before = process.cpuUsage()
  for (let i = 0; i < times; i++) await Effect.runPromise(effect)
  const { system, user } = process.cpuUsage(before)
  return (system + user) / times
}

export const run = async (rounds = 3): Promise<void> => {
  const measured: Array<readonly [Which, App]> = [
    ["node:http", "text"],
    ["quiesce", "text"],
    ["@effect/platform-node", "text"],
    ["quiesce", "json"],
    ["quiesce", "router"],
    ["@effect/platform-node", "router"],
    ["quiesce", "streaming"],
    ["@effect/platform-node", "streaming"]
  ]
  const found = measured.map(() => new Map<string, Array<number>>())
  for (let round = 0; round < rounds; round++) {
    for (const [index, [which, app]] of measured.entries()) {
      const micros = await profile(which, app)
      const all = found[index]
      for (const [part] of parts) all?.set(part, [...all.get(part) ?? [], micros.get(part) ?? 0])
      const sum = [...micros.values()].reduce((a, b) => a + b, 0)
      all?.set("all", [...all.get("all") ?? [], sum])
    }
  }
  table(
    `The parts of a request, µs of the profile of ${count(requests, "request")}, ${count(rounds, "round")}`,
    ["part", ...measured.map(([which, app]) => `${app}: ${which}`)],
    [...parts.map(([part]) => part), "all"].map((part) => [
      part,
      ...found.map((_) => spread(_.get(part) ?? [], 1))
    ])
  )

  const rows: Array<ReadonlyArray<string>> = []
  for (const app of apps) {
    const micros = { "@effect/platform-node": [[], []], quiesce: [[], []] } as Record<
      "@effect/platform-node" | "quiesce",
      [Array<number>, Array<number>]
    >
    for (let round = 0; round < rounds; round++) {
      for (const traced of [false, true]) {
        for (const which of ["@effect/platform-node", "quiesce"] as const) {
          micros[which][traced ? 1 : 0].push(await cpuMicros(which, app, traced))
        }
      }
    }
    for (const traced of [0, 1] as const) {
      const stock = micros["@effect/platform-node"][traced]
      const own = micros.quiesce[traced]
      rows.push([
        app,
        traced === 1 ? "installed" : "none",
        spread(stock, 1),
        spread(own, 1),
        spread(stock.map((value, index) => value / (own[index] ?? Number.NaN)), 2)
      ])
    }
  }
  table(
    `CPU of a request in µs, without a tracer and with one, ${count(rounds, "paired round")}`,
    ["app", "tracer", "@effect/platform-node", "quiesce", "platform-node against quiesce, per round"],
    rows
  )

  const times = 3000
  const found2 = Object.entries(streams).map(([name, stream]) => ({
    name,
    ways: Object.values(ways).map((way) => ({ effect: way(stream()), micros: [] as Array<number> }))
  }))
  for (const { ways } of found2) for (const { effect } of ways) await runMicros(effect, times)
  for (let round = 0; round < rounds; round++) {
    for (const { ways } of found2) for (const { effect, micros } of ways) micros.push(await runMicros(effect, times))
  }
  table(
    `A stream by itself: CPU in µs to run it to its end, ${count(times, "time")}, ${count(rounds, "round")}`,
    ["stream", ...Object.keys(ways)],
    found2.map(({ name, ways }) => [name, ...ways.map(({ micros }) => spread(micros, 1))])
  )
}
