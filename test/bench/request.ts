/**
 * What a request costs: a bare `node:http` server, `@effect/platform-node`'s, and this one, with the same app. Rounds
 * alternate between them; what counts is the ratio of two servers within one round.
 */
import { HttpServer, HttpServerResponse } from "@effect/platform"
import { NodeHttpServer as Stock } from "@effect/platform-node"
import { Effect, Layer } from "effect"
import { fork } from "node:child_process"
import * as Http from "node:http"
import * as Net from "node:net"
import { fileURLToPath } from "node:url"
import { NodeHttpServer } from "../../src/index.js"
import { spread, table } from "./table.js"

const self = fileURLToPath(import.meta.url)

const servers = ["node:http", "@effect/platform-node", "quiesce"] as const
type Which = (typeof servers)[number]

const clients = 32
const warmUpRequests = 20_000
const requests = 60_000

interface Sample {
  readonly cpuMicros: number
  readonly perSecond: number
}

/** In the child: serves until it is told to stop; on request, says how much CPU time it has used. */
const serve = (which: Which): void => {
  process.on("message", () => process.send?.(process.cpuUsage()))
  process.on("disconnect", () => process.exit(0))
  const options = { host: "127.0.0.1", port: 0 }
  if (which === "node:http") {
    const server = Http.createServer((_, response) => {
      response.writeHead(200, { "content-type": "text/plain", "content-length": "5" })
      response.end("hello")
    })
    server.listen(options, () => process.send?.((server.address() as Net.AddressInfo).port))
    return
  }
  const make = which === "quiesce" ? NodeHttpServer.layer : Stock.layer
  const address = HttpServer.addressWith((address) =>
    Effect.sync(() => process.send?.(address._tag === "TcpAddress" ? address.port : 0))
  )
  Layer.effectDiscard(address).pipe(
    Layer.provide(HttpServer.serve(HttpServerResponse.text("hello"))),
    Layer.provide(make(() => Http.createServer(), options)),
    Layer.launch,
    Effect.runFork
  )
}

/** Each client sends its next request when it has the answer to the last. */
const load = (port: number, total: number): Promise<void> =>
  new Promise((resolve, reject) => {
    let sent = 0
    let open = clients
    for (let i = 0; i < clients; i++) {
      const socket = Net.connect(port, "127.0.0.1")
      const next = () => {
        if (sent++ < total) socket.write("GET / HTTP/1.1\r\nHost: bench\r\n\r\n")
        else socket.destroy()
      }
      socket.setNoDelay(true)
      socket.on("connect", next)
      // an answer of this size comes in one piece
      socket.on("data", next)
      socket.on("error", reject)
      socket.on("close", () => --open === 0 && resolve())
    }
  })

const sample = async (which: Which): Promise<Sample> => {
  const child = fork(self, [which], { execArgv: process.execArgv })
  const message = <A>() => new Promise<A>((resolve) => child.once("message", (message) => resolve(message as A)))
  const port = await message<number>()
  const cpu = async () => {
    const answer = message<NodeJS.CpuUsage>()
    child.send("cpu")
    const { system, user } = await answer
    return system + user
  }
  await load(port, warmUpRequests)
  const before = await cpu()
  const startedAt = performance.now()
  await load(port, requests)
  const seconds = (performance.now() - startedAt) / 1000
  const cpuMicros = (await cpu() - before) / requests
  child.disconnect()
  await new Promise((resolve) => child.once("exit", resolve))
  return { cpuMicros, perSecond: requests / seconds }
}

export const run = async (rounds = 9): Promise<void> => {
  const samples = new Map<Which, Array<Sample>>(servers.map((which) => [which, []]))
  for (let round = 0; round < rounds; round++) {
    // each round begins with another server, so that none always runs on a warmer machine
    for (let i = 0; i < servers.length; i++) {
      const which = servers[(round + i) % servers.length]
      if (which !== undefined) samples.get(which)?.push(await sample(which))
    }
  }
  const stock = samples.get("@effect/platform-node") ?? []
  table(
    `A request: ${requests} GETs of 5 bytes by ${clients} keep-alive clients, ${rounds} paired rounds`,
    ["server", "CPU, µs", "requests/s", "CPU against platform-node, per round"],
    servers.map((which) => {
      const of = samples.get(which) ?? []
      return [
        which,
        spread(of.map((_) => _.cpuMicros), 1),
        spread(of.map((_) => _.perSecond), 0),
        spread(of.map((_, round) => _.cpuMicros / (stock[round]?.cpuMicros ?? Number.NaN)), 3)
      ]
    })
  )
}

const [which] = process.argv.slice(2)
if (process.argv[1] === self && servers.includes(which as Which)) serve(which as Which)
