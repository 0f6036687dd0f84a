/**
 * How long it takes to close idle connections, beside destroying bare sockets in one go, what that does to the event
 * loop, and how much heap an idle connection takes. Each sample is a process of its own, with its client in another.
 */
import { HttpServer, HttpServerResponse } from "@effect/platform"
import { Duration, Effect, Exit, Layer, Logger, Scope } from "effect"
import { type ChildProcess, fork } from "node:child_process"
import * as Http from "node:http"
import * as Net from "node:net"
import { monitorEventLoopDelay } from "node:perf_hooks"
import { fileURLToPath } from "node:url"
import { NodeHttpServer, Server } from "../../src/index.js"
import { spread, table } from "./table.js"

const self = fileURLToPath(import.meta.url)
type Mode = "bare" | "quiesce" | "quiesce, no grace"

interface Row {
  readonly closeMs: number
  readonly longestStallMs: number
  readonly bytesPerConnection: number
}

/** Opens `connections` keep-alive connections, one request each, and holds them until the server closes them. */
const client = async (port: number, connections: number): Promise<void> => {
  let closed = 0
  for (let opened = 0; opened < connections;) {
    const batch = Math.min(200, connections - opened)
    await Promise.all(Array.from({ length: batch }, () =>
      new Promise<void>((resolve, reject) => {
        const socket = Net.connect(port, "127.0.0.1", () => socket.write("GET / HTTP/1.1\r\nHost: bench\r\n\r\n"))
        socket.once("data", () => resolve())
        socket.on("error", reject)
        socket.on("close", () => {
          if (++closed === connections) process.exit(0)
        })
      })))
    opened += batch
  }
  process.send?.("ready")
}

const heap = (): number => {
  for (let i = 0; i < 4; i++) globalThis.gc?.()
  const { external, heapUsed } = process.memoryUsage()
  return heapUsed + external
}

const withClient = async (port: number, connections: number): Promise<ChildProcess> => {
  const child = fork(self, ["client", String(port), String(connections)], { execArgv: process.execArgv })
  await new Promise<void>((resolve) => child.once("message", () => resolve()))
  return child
}

const measure = async (connections: number, port: number, close: () => Promise<void>): Promise<Row> => {
  const before = heap()
  const child = await withClient(port, connections)
  // longer idle than any grace
  await new Promise((resolve) => setTimeout(resolve, 800))
  const bytesPerConnection = (heap() - before) / connections
  const delay = monitorEventLoopDelay({ resolution: 1 })
  delay.enable()
  await new Promise((resolve) => setTimeout(resolve, 50))
  delay.reset()
  const startedAt = performance.now()
  await close()
  const closeMs = performance.now() - startedAt
  await new Promise((resolve) => setTimeout(resolve, 20))
  delay.disable()
  if (child.exitCode === null) await new Promise((resolve) => child.once("exit", resolve))
  return { closeMs, longestStallMs: delay.max / 1e6, bytesPerConnection }
}

const bare = async (connections: number): Promise<Row> => {
  const sockets = new Set<Net.Socket>()
  const server = Http.createServer({ keepAliveTimeout: 60_000 }, (_, response) => response.end("hello"))
  server.on("connection", (socket) => {
    sockets.add(socket)
    socket.once("close", () => sockets.delete(socket))
  })
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", 65_535, resolve))
  const { port } = server.address() as Net.AddressInfo
  return measure(connections, port, () =>
    new Promise<void>((resolve) => {
      Net.Server.prototype.close.call(server, () => resolve())
      for (const socket of sockets) socket.destroy()
    }).finally(() => server.close()))
}

const quiesce = async (connections: number, idleGrace: Duration.DurationInput): Promise<Row> => {
  const scope = Effect.runSync(Scope.make())
  const context = await Effect.runPromise(
    Layer.buildWithScope(
      HttpServer.serve(HttpServerResponse.text("hello")).pipe(
        Layer.provideMerge(NodeHttpServer.layer(() => Http.createServer({ keepAliveTimeout: 60_000 }), {
          port: 0,
          host: "127.0.0.1",
          backlog: 65_535,
          idleGrace
        })),
        Layer.provideMerge(Logger.remove(Logger.defaultLogger))
      ),
      scope
    )
  )
  const { port } = await Effect.runPromise(Effect.provide(
    HttpServer.addressWith((address) =>
      address._tag === "TcpAddress" ? Effect.succeed(address) : Effect.die("a TCP address")
    ),
    context
  ))
  return measure(connections, port, async () => {
    const report = await Effect.runPromise(Effect.provide(Effect.flatMap(Server.Server, (_) => _.shutdown), context))
    if (report.connections.dismissed !== connections) throw new Error(`dismissed ${report.connections.dismissed}`)
    await Effect.runPromise(Scope.close(scope, Exit.void))
  })
}

const [role, ...args] = process.argv[1] === self ? process.argv.slice(2) : []
if (role === "client") {
  await client(Number(args[0]), Number(args[1]))
} else if (role === "server") {
  const connections = Number(args[1])
  const row = args[0] === "bare"
    ? await bare(connections)
    : await quiesce(connections, args[0] === "quiesce" ? "500 millis" : 0)
  process.send?.(row)
  process.disconnect()
}

const modes: ReadonlyArray<Mode> = ["bare", "quiesce", "quiesce, no grace"]

const sample = (mode: Mode, connections: number): Promise<Row> => {
  const child = fork(self, ["server", mode, String(connections)], { execArgv: [...process.execArgv, "--expose-gc"] })
  return new Promise<Row>((resolve, reject) => {
    child.once("message", (row: Row) => resolve(row))
    child.once("exit", (code) => reject(new Error(`the server exited with ${code}`)))
  })
}

export const run = async (counts: ReadonlyArray<number> = [1000, 10_000], rounds = 7): Promise<void> => {
  for (const connections of counts) {
    const rows = new Map<Mode, Array<Row>>(modes.map((mode) => [mode, []]))
    for (let round = 0; round < rounds; round++) {
      for (const mode of modes) rows.get(mode)?.push(await sample(mode, connections))
    }
    table(
      `${connections} idle keep-alive connections, ${rounds} rounds`,
      ["server", "to close them, ms", "longest stall of the event loop, ms", "heap a connection, bytes"],
      modes.map((mode) => {
        const of = rows.get(mode) ?? []
        return [
          mode,
          spread(of.map((_) => _.closeMs), 0),
          spread(of.map((_) => _.longestStallMs), 0),
          spread(of.map((_) => _.bytesPerConnection), 0)
        ]
      })
    )
  }
}
