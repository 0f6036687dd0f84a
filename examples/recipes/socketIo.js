// Socket.IO. Its clients are told 1001, and connect again by themselves; those that poll are answered, and told to leave.
//
//   node socketIo.js          and Ctrl-C it
import express from "express"
import { setTimeout } from "node:timers/promises"
import { quiesce } from "quiesce/promise"
import { Server } from "socket.io"

const app = express()
app.get("/", (_, response) => response.send("hello\n"))
app.get("/slow", async (_, response) => {
  await setTimeout(1000)
  response.send("hello, one second later\n")
})
app.post("/orders", express.text({ type: () => true }), (_, response) => response.status(202).send("accepted\n"))

const nodeServer = app.listen(Number(process.env.PORT ?? 3000), "127.0.0.1")
const io = new Server(nodeServer)
io.on("connection", (socket) => socket.on("message", (message) => socket.send(message)))

const server = quiesce(nodeServer, { signals: true })
// a last message, before they are told to leave; `io.close()` is not wanted: it cuts who is in the middle of something
server.onShutdown("say goodbye", () => io.emit("goodbye"))
