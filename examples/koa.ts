// A koa app without Effect: a request that is running at SIGTERM is answered, and the process ends by itself.
//
//   node --import tsx examples/koa.ts
//   curl localhost:3000/slow       and Ctrl-C the server meanwhile: the answer still comes
import Koa from "koa"
import type { AddressInfo } from "node:net"
import { setTimeout } from "node:timers/promises"
import { quiesce } from "quiesce/promise"

const port = Number(process.env["PORT"] ?? 3000)

const app = new Koa()
app.use(async (context) => {
  if (context.path === "/slow") await setTimeout(1000)
  context.body = context.path === "/slow" ? "hello, one second later\n" : "hello\n"
})

const nodeServer = app.listen(port, "127.0.0.1", () => {
  console.log(`Listening on http://127.0.0.1:${(nodeServer.address() as AddressInfo).port}`)
})

quiesce(nodeServer, { timeout: "5 seconds", signals: true })
