/**
 * A server with WebSockets, and its successor on the same port. It says when it listens and, asked for it, when its peers
 * have come, what CPU time that took, and for how long its event loop stood still at the most.
 */
import * as Http from "node:http"
import { monitorEventLoopDelay } from "node:perf_hooks"
import { WebSocketServer } from "ws"
import { quiesce } from "../../../src/promise.js"

const port = Number(process.argv[2])
const spread = Number(process.argv[3])

const node = Http.createServer()
const sockets = new WebSocketServer({ server: node, perMessageDeflate: false })
const cameAt: Array<number> = []
sockets.on("connection", () => cameAt.push(Date.now()))

// it hears of those of the server, which are dealt with below
sockets.on("error", () => {})

/** The port is free when the server before it has closed its listener. */
const listen = () => node.listen({ port, host: "127.0.0.1", backlog: 4096 })
node.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code !== "EADDRINUSE") throw error
  setTimeout(listen, 5)
})
node.once("listening", () => {
  quiesce(node, { timeout: "60 seconds", spread, signals: ["SIGTERM"], logger: false })
  process.send?.({ port: (node.address() as { readonly port: number }).port })
})
process.send?.("loaded")
listen()

let cpu = process.cpuUsage()
const delay = monitorEventLoopDelay({ resolution: 1 })
process.on("message", (question) => {
  if (question === "begin") {
    cpu = process.cpuUsage()
    delay.enable()
  } else {
    const { system, user } = process.cpuUsage(cpu)
    process.send?.({ cameAt, cpuMs: (system + user) / 1000, stallMs: delay.max / 1e6 })
  }
})
process.on("disconnect", () => process.exit())
