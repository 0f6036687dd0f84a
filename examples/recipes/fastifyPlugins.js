// fastify with plugins that hold something: WebSockets, and a limit of load. `onClose` hooks run when the last request
// has been answered: that is where plugins close what they hold.
//
//   node fastifyPlugins.js
//   curl localhost:3000/slow       and Ctrl-C the server
import underPressure from "@fastify/under-pressure"
import webSocket from "@fastify/websocket"
import Fastify from "fastify"
import { setTimeout } from "node:timers/promises"
import { quiesce } from "quiesce/promise"

// without `forceCloseConnections`: fastify would cut what is in flight
const app = Fastify()
await app.register(underPressure, { maxEventLoopDelay: 1000 })
// quiesce says 1001 to each client, and waits for its answer
await app.register(webSocket)
app.addHook("onClose", async () => console.log("database closed"))

app.addContentTypeParser("*", { parseAs: "string" }, async (_, body) => body)

app.get("/", () => "hello\n")
app.get("/slow", () => setTimeout(1000, "hello, one second later\n"))
app.post("/orders", (_, reply) => reply.code(202).send("accepted\n"))
app.get("/live", { websocket: true }, (socket) => socket.on("message", (message) => socket.send(message)))

quiesce(app, { signals: true })
await app.listen({ host: "127.0.0.1", port: Number(process.env.PORT ?? 3000) })
