/**
 * What a request costs: a bare `node:http` server, `@effect/platform-node`'s, this one, and the same two on Effect 4, each
 * with the same four apps. Within a round they take turns; what counts is the ratio of two of them within one round.
 */
import { HttpRouter, HttpServer, HttpServerResponse } from "@effect/platform"
import { NodeHttpServer as Stock } from "@effect/platform-node"
import { Effect, Layer, Stream, Tracer } from "effect"
import { fork } from "node:child_process"
import { randomBytes } from "node:crypto"
import * as Fs from "node:fs"
import * as Http from "node:http"
import * as Net from "node:net"
import { fileURLToPath } from "node:url"
import { count, headline, middle, spread, table } from "../support/table.js"
import { bounded, rotated } from "./running.js"
import { quiesceForEffect4 } from "./servers.js"

const self = fileURLToPath(import.meta.url)
// as it is published: of sources, `tsx` names each function that a request makes anew, which takes time
const compiled = new URL("../../dist/index.js", import.meta.url).href
// its Effect is another, and so it is a program of its own
const effect4 = fileURLToPath(new URL("./peers/effect4.mjs", import.meta.url))

const names = ["node:http", "@effect/platform-node", "quiesce", "Effect 4", "quiesce on Effect 4"] as const
export type Which = (typeof names)[number]

export const apps = ["text", "json", "router", "streaming"] as const
export type App = (typeof apps)[number]

const clients = 32
const warmUpRequests = 10_240
/** Each server answers so many, a turn at a time: what the machine does meanwhile is the same for all. */
const requests = 40_960
const turns = 20

/** A client waits while the others have their turns. */
const keepAliveTimeout = 60_000

interface Sample {
  readonly cpuMicros: number
  readonly perSecond: number
}

const value = { message: "hello", items: [1, 2, 3] }
const pieces = ["hel", "lo"].map((text) => new TextEncoder().encode(text))

const bare: Readonly<Record<App, Http.RequestListener>> = {
  text: (_, response) => {
    response.writeHead(200, { "content-type": "text/plain", "content-length": "5" })
    response.end("hello")
  },
  json: (_, response) => {
    const body = JSON.stringify(value)
    response.writeHead(200, { "content-type": "application/json", "content-length": Buffer.byteLength(body) })
    response.end(body)
  },
  router: (request, response) => {
    const id = /^\/users\/([^/]+)$/.exec(request.url ?? "")?.[1]
    const body = id === undefined ? "hello" : `user ${id}`
    response.writeHead(200, { "content-type": "text/plain", "content-length": body.length })
    response.end(body)
  },
  streaming: (_, response) => {
    response.writeHead(200, { "content-type": "text/plain", "content-length": "5" })
    for (const piece of pieces) response.write(piece)
    response.end()
  }
}

const ofEffect = {
  text: HttpServer.serve(Effect.succeed(HttpServerResponse.text("hello"))),
  json: HttpServer.serve(Effect.suspend(() => HttpServerResponse.json(value))),
  router: HttpServer.serve(HttpRouter.empty.pipe(
    HttpRouter.get("/", HttpServerResponse.text("hello")),
    HttpRouter.get("/users/:id", Effect.map(HttpRouter.params, ({ id }) => HttpServerResponse.text(`user ${id}`)))
  )),
  streaming: HttpServer.serve(
    Effect.sync(() =>
      HttpServerResponse.stream(Stream.make(...pieces), { contentType: "text/plain", contentLength: 5 })
    )
  )
}

/** Keeps what it is told of a span until the span has ended, and does nothing with it. */
const tracer = Tracer.make({
  context: (f) => f(),
  span: (name, parent, context, links, startTime, kind) => {
    const attributes = new Map<string, unknown>()
    let status: Tracer.SpanStatus = { _tag: "Started", startTime }
    return {
      _tag: "Span",
      name,
      spanId: randomBytes(8).toString("hex"),
      traceId: parent._tag === "Some" ? parent.value.traceId : randomBytes(16).toString("hex"),
      parent,
      context,
      get status() {
        return status
      },
      attributes,
      links,
      sampled: true,
      kind,
      attribute: (key, value) => void attributes.set(key, value),
      event: () => {},
      addLinks: () => {},
      end: (endTime, exit) => {
        status = { _tag: "Ended", startTime, endTime, exit }
      }
    }
  }
})

/** In the child: serves until it is told to stop; on request, says how much CPU time it has used. */
const serve = async (which: Which, app: App): Promise<void> => {
  process.on("message", () => process.send?.(process.cpuUsage()))
  process.on("disconnect", () => process.exit(0))
  const options = { host: "127.0.0.1", port: 0 }
  if (which === "node:http") {
    const server = Http.createServer({ keepAliveTimeout }, bare[app])
    server.listen(options, () => process.send?.((server.address() as Net.AddressInfo).port))
    return
  }
  const { NodeHttpServer } = which === "quiesce"
    ? await import(compiled) as typeof import("../../src/index.js")
    : { NodeHttpServer: Stock }
  const make: typeof Stock.layer = NodeHttpServer.layer
  const address = HttpServer.addressWith((address) =>
    Effect.sync(() => process.send?.(address._tag === "TcpAddress" ? address.port : 0))
  )
  Layer.effectDiscard(address).pipe(
    Layer.provide(ofEffect[app]),
    Layer.provide(make(() => Http.createServer({ keepAliveTimeout }), options)),
    Layer.provide(process.env["BENCH_TRACER"] === "1" ? Layer.setTracer(tracer) : Layer.empty),
    Layer.launch,
    Effect.runFork
  )
}

interface Client {
  /** Sends so many requests, and has their answers. */
  readonly send: (total: number) => Promise<void>
  readonly close: () => void
}

/** Sends its next request when it has the answer to the last. */
const connect = (port: number, path: string): Promise<Client> =>
  new Promise((connected, failed) => {
    const socket = Net.connect(port, "127.0.0.1")
    // all answers to the same request are of the same length, which the first one tells
    let first = ""
    let length = 0
    let received = 0
    let left = 0
    let resolve = () => {}
    let reject: (error: Error) => void = failed
    const next = () => {
      if (left-- > 0) socket.write(`GET ${path} HTTP/1.1\r\nHost: bench\r\n\r\n`)
      else resolve()
    }
    socket.setNoDelay(true)
    socket.on("data", (chunk) => {
      received += chunk.length
      if (length === 0) {
        first += chunk.toString()
        const [, head, body] = /^(HTTP\/1\.1 200 [^]*?\r\n\r\n)([^]*)$/.exec(first) ?? []
        if (head === undefined || body === undefined) return
        length = head.length + Number(/\r\ncontent-length: *(\d+)/i.exec(head)?.[1])
        if (Number.isNaN(length)) reject(new Error(`an answer without a length: ${head}`))
      }
      if (received < length) return
      received = 0
      next()
    })
    socket.on("error", (error) => reject(error))
    socket.on("close", () => reject(new Error("the server has closed a connection")))
    const send = (total: number) =>
      new Promise<void>((done, lost) => {
        resolve = done
        reject = lost
        left = total
        next()
      })
    socket.on("connect", () => connected({ send, close: () => socket.destroy() }))
  })

export interface Started {
  /** Sends so many requests, and has their answers. */
  readonly load: (total: number) => Promise<void>
  /** CPU time that it has used, in µs; says so when it has read the message. */
  readonly cpu: (message?: string) => Promise<number>
  readonly stop: () => Promise<void>
}

export const start = async (
  which: Which,
  app: App,
  env: NodeJS.ProcessEnv = {},
  execArgv: ReadonlyArray<string> = []
): Promise<Started> => {
  const options = { env: { ...process.env, ...env } }
  const child = which === "Effect 4" || which === "quiesce on Effect 4"
    ? fork(effect4, [app], {
      env: {
        ...options.env,
        ...which === "Effect 4" ? undefined : { BENCH_NODE_HTTP_SERVER: "quiesce/NodeHttpServer" }
      },
      execArgv: [...execArgv]
    })
    : fork(self, [which, app], { ...options, execArgv: [...process.execArgv, ...execArgv] })
  const message = <A>() => new Promise<A>((resolve) => child.once("message", (message) => resolve(message as A)))
  const port = await message<number>()
  const path = app === "router" ? "/users/7" : "/"
  const open = await Promise.all(Array.from({ length: clients }, () => connect(port, path)))
  return {
    load: async (total) => void await Promise.all(open.map(({ send }) => send(total / clients))),
    cpu: async (text = "cpu") => {
      const answer = message<NodeJS.CpuUsage>()
      child.send(text)
      const { system, user } = await answer
      return system + user
    },
    stop: async () => {
      for (const { close } of open) close()
      child.disconnect()
      await new Promise((resolve) => child.once("exit", resolve))
    }
  }
}

/** All of them are there at once, and each has a turn after the other. */
const round = async (servers: ReadonlyArray<Which>, app: App): Promise<ReadonlyMap<Which, Sample>> => {
  const started = new Map<Which, Started>()
  const used = new Map<Which, { cpuMicros: number; seconds: number }>()
  try {
    for (const which of servers) {
      const server = await start(which, app)
      started.set(which, server)
      used.set(which, { cpuMicros: 0, seconds: 0 })
      await server.load(warmUpRequests)
    }
    for (let turn = 0; turn < turns; turn++) {
      for (const [which, { cpu, load }] of rotated([...started], turn)) {
        const of = used.get(which)
        if (of === undefined) continue
        const before = await cpu()
        const startedAt = performance.now()
        await load(requests / turns)
        of.seconds += (performance.now() - startedAt) / 1000
        of.cpuMicros += await cpu() - before
      }
    }
  } finally {
    for (const { stop } of started.values()) await stop()
  }
  return new Map(
    [...used].map(([which, { cpuMicros, seconds }]) => [
      which,
      { cpuMicros: cpuMicros / requests, perSecond: requests / seconds }
    ])
  )
}

export const run = async (rounds?: number): Promise<void> => {
  const servers = names.filter((which) => which !== "quiesce on Effect 4" || Fs.existsSync(quiesceForEffect4))
  const all = new Map<App, Map<Which, Array<Sample>>>()
  for (const app of apps) {
    const samples = new Map<Which, Array<Sample>>(servers.map((which) => [which, []]))
    all.set(app, samples)
    let done = 0
    for (const nth of bounded(rounds ?? 5, rounds === undefined ? 2 : Infinity)) {
      done = nth + 1
      for (const [which, sample] of await round(rotated(servers, nth), app)) samples.get(which)?.push(sample)
    }
    const ratio = (which: Which, to: Which) =>
      spread(
        (samples.get(which) ?? []).map((_, round) => _.cpuMicros / (samples.get(to)?.[round]?.cpuMicros ?? Number.NaN)),
        2
      )
    table(
      `A request, ${app}: ${count(requests, "GET")} by ${clients} keep-alive clients, ${count(done, "paired round")}`,
      [
        "server",
        "CPU, µs",
        "requests/s",
        ...["platform-node", "node:http", "Effect 4"].map((to) => `CPU against ${to}, per round`)
      ],
      servers.map((which) => {
        const of = samples.get(which) ?? []
        return [
          which,
          spread(of.map((_) => _.cpuMicros), 1),
          spread(of.map((_) => _.perSecond), 0),
          ratio(which, "@effect/platform-node"),
          ratio(which, "node:http"),
          ratio(which, "Effect 4")
        ]
      })
    )
  }
  headline.table(
    "CPU time of the server a request, in µs (in brackets, requests a second); bold is the lowest of each column",
    ["server", ...apps],
    servers.map((which) => [
      which,
      ...apps.map((app) => {
        const of = all.get(app)?.get(which) ?? []
        return `${middle(of.map((_) => _.cpuMicros), 1)} (${middle(of.map((_) => _.perSecond), 0)})`
      })
    ])
  )
}

const [which, app] = process.argv.slice(2)
const isOneOf = <A extends string>(values: ReadonlyArray<A>, value: string | undefined): value is A =>
  (values as ReadonlyArray<string | undefined>).includes(value)
if (process.argv[1] === self && isOneOf(names, which) && isOneOf(apps, app)) await serve(which, app)
