// A plain Node server without Effect, with all that a shutdown may need: an event stream that ends in time, something
// to do when draining starts, and something to close when everything has been answered.
//
//   node --import tsx examples/plainNode.ts
//   curl -N localhost:3000/clock; curl localhost:3000/slow       and Ctrl-C the server meanwhile
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { quiesce } from "quiesce/promise"

const port = Number(process.env["PORT"] ?? 3000)

const nodeServer = createServer((request, response) => {
  if (request.url === "/clock") {
    response.writeHead(200, { "content-type": "text/event-stream" })
    const tick = () => response.write(`data: ${new Date().toISOString()}\n\n`)
    const ticks = setInterval(tick, 200)
    const end = () => response.end("event: bye\ndata: come back later\n\n")
    if (server.signal.aborted) end()
    else server.signal.addEventListener("abort", end)
    response.on("close", () => {
      clearInterval(ticks)
      server.signal.removeEventListener("abort", end)
    })
    tick()
  } else if (request.url === "/slow") {
    setTimeout(() => response.end("hello, one second later\n"), 1000)
  } else {
    response.end("hello\n")
  }
})

const server = quiesce(nodeServer, {
  timeout: "5 seconds",
  signals: true,
  finally: ({ outcome, served }) => console.log(`${outcome}: ${served} answered; database closed`)
})
server.onShutdown("leave the registry", () => console.log("left the service registry"), { timeout: "2 seconds" })

nodeServer.listen(port, "127.0.0.1", () => {
  console.log(`Listening on http://127.0.0.1:${(nodeServer.address() as AddressInfo).port}`)
})
