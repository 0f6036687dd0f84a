// An express app without Effect: a request that is running at SIGTERM is answered, and the process ends by itself.
//
//   node --import tsx examples/express.ts
//   curl localhost:3000/slow       and Ctrl-C the server meanwhile: the answer still comes
import express from "express"
import type { AddressInfo } from "node:net"
import { quiesce } from "quiesce/promise"

const port = Number(process.env["PORT"] ?? 3000)

const app = express()
app.get("/", (_, response) => void response.send("hello\n"))
app.get("/slow", (_, response) => void setTimeout(() => response.send("hello, one second later\n"), 1000))

// express 5 calls this with an error, too: a port that is taken
const nodeServer = app.listen(port, "127.0.0.1", (error) => {
  if (error !== undefined) throw error
  console.log(`Listening on http://127.0.0.1:${(nodeServer.address() as AddressInfo).port}`)
})

quiesce(nodeServer, { timeout: "5 seconds", signals: true })
