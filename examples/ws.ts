// WebSockets with ws, without Effect: at SIGTERM each client is told to go (1001) before anything else happens, and a
// request over HTTP is answered.
//
//   node --import tsx examples/ws.ts
//   npx wscat -c ws://localhost:3000       and Ctrl-C the server meanwhile
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { quiesce } from "quiesce/promise"
import { WebSocketServer } from "ws"

const port = Number(process.env["PORT"] ?? 3000)

const nodeServer = createServer((_, response) => {
  setTimeout(() => response.end("hello, one second later\n"), 1000)
})

const webSockets = new WebSocketServer({ server: nodeServer })
webSockets.on("connection", (webSocket) => {
  webSocket.on("message", (data, binary) => webSocket.send(data, { binary }))
  webSocket.on("close", (code) => console.log(`a client has gone: ${code}`))
})

nodeServer.listen(port, "127.0.0.1", () => {
  console.log(`Listening on http://127.0.0.1:${(nodeServer.address() as AddressInfo).port}`)
})

quiesce(nodeServer, { timeout: "5 seconds", signals: true })
