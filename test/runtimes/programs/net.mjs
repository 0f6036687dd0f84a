// A server of `node:net`: it speaks by itself, one request a connection.
import { createServer } from "node:net"
import { quiesce } from "quiesce/promise"

const answer = "HTTP/1.1 200 OK\r\nContent-Length: 6\r\nConnection: close\r\n\r\nhello\n"

const server = createServer((socket) => {
  socket.on("error", () => {})
  socket.once("data", (head) => {
    setTimeout(() => socket.end(answer), head.toString("latin1").startsWith("GET /slow ") ? 1000 : 0)
  })
}).listen(Number(process.env.PORT), "127.0.0.1")

quiesce(server, { signals: true })
