// Opens keep-alive connections, one request each, says so, and holds them until the server closes them.
//   node idle.mjs <port> <connections> <address of this end>
import { connect } from "node:net"

const [port, connections, localAddress] = [Number(process.argv[2]), Number(process.argv[3]), process.argv[4]]
process.on("disconnect", () => process.exit(1))

let closed = 0
const open = () =>
  new Promise((resolve, reject) => {
    const socket = connect({ host: "127.0.0.1", localAddress, port })
    socket.once("connect", () => socket.write("GET / HTTP/1.1\r\nHost: bench\r\n\r\n"))
    socket.once("data", resolve)
    socket.on("error", reject)
    socket.on("close", () => {
      if (++closed === connections) process.exit(0)
    })
  })

for (let opened = 0; opened < connections;) {
  const batch = Math.min(100, connections - opened)
  await Promise.all(Array.from({ length: batch }, open))
  opened += batch
}
process.send("ready")
