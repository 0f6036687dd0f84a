// A gRPC server beside an HTTP server. quiesce does not speak gRPC: `tryShutdown` refuses new calls and waits for those
// in flight. As a worker it is told when a shutdown begins, awaited, named in the log while it is awaited, and cut at the
// deadline.
//
//   node grpc.js
//   curl localhost:3000/slow       and Ctrl-C the server
import { Server, ServerCredentials } from "@grpc/grpc-js"
import express from "express"
import { once } from "node:events"
import { setTimeout } from "node:timers/promises"
import { promisify } from "node:util"
import { quiesce } from "quiesce/promise"

const echo = {
  path: "/Greeter/Hello",
  requestStream: false,
  responseStream: false,
  requestSerialize: (message) => Buffer.from(message),
  requestDeserialize: (bytes) => bytes.toString(),
  responseSerialize: (message) => Buffer.from(message),
  responseDeserialize: (bytes) => bytes.toString()
}

const app = express()
app.get("/", (_, response) => response.send("hello\n"))
app.get("/slow", async (_, response) => {
  await setTimeout(1000)
  response.send("hello, one second later\n")
})
app.post("/orders", express.text({ type: () => true }), (_, response) => response.status(202).send("accepted\n"))

const nodeServer = app.listen(Number(process.env.PORT ?? 3000), "127.0.0.1")
const server = quiesce(nodeServer, { signals: true })

server.worker("grpc", async (signal) => {
  const grpc = new Server()
  grpc.addService({ hello: echo }, {
    hello: async (call, done) => {
      await setTimeout(1000)
      done(null, `hello, ${call.request}`)
    }
  })
  await new Promise((resolve, reject) => {
    grpc.bindAsync(`127.0.0.1:${process.env.GRPC_PORT ?? 0}`, ServerCredentials.createInsecure(), (error, port) => {
      if (error !== null) return reject(error)
      console.log(`gRPC on 127.0.0.1:${port}`)
      resolve()
    })
  })
  if (!signal.aborted) await once(signal, "abort")
  await promisify(grpc.tryShutdown).call(grpc)
})
