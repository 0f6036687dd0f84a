// socket.io without Effect: at SIGTERM its clients are told to go, and find another server by themselves, whether they
// came over a WebSocket or over long polls; a request over HTTP is answered.
//
//   node --import tsx examples/socketIo.ts       and Ctrl-C
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { quiesce } from "quiesce/promise"
import { Server } from "socket.io"

const port = Number(process.env["PORT"] ?? 3000)

const nodeServer = createServer((_, response) => {
  setTimeout(() => response.end("hello, one second later\n"), 1000)
})

const io = new Server(nodeServer)
io.on("connection", (socket) => {
  socket.on("say", (text: string, answer: (text: string) => void) => answer(`you said ${text}`))
  socket.on("disconnect", (reason) => console.log(`a client has gone: ${reason}`))
})

nodeServer.listen(port, "127.0.0.1", () => {
  console.log(`Listening on http://127.0.0.1:${(nodeServer.address() as AddressInfo).port}`)
})

quiesce(nodeServer, {
  timeout: "5 seconds",
  signals: true,
  // WebSockets are closed without it; long polls wait for something to say
  onShutdown: () => io.engine.close(),
  finally: () => io.close()
})
