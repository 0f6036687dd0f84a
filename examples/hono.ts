// A hono app without Effect: a request that is running at SIGTERM is answered, and the process ends by itself.
//
//   node --import tsx examples/hono.ts
//   curl localhost:3000/slow       and Ctrl-C the server meanwhile: the answer still comes
import { serve } from "@hono/node-server"
import { Hono } from "hono"
import { setTimeout } from "node:timers/promises"
import { quiesce } from "quiesce/promise"

const app = new Hono()
app.get("/", (context) => context.text("hello\n"))
app.get("/slow", async (context) => {
  await setTimeout(1000)
  return context.text("hello, one second later\n")
})

const nodeServer = serve(
  { fetch: app.fetch, hostname: "127.0.0.1", port: Number(process.env["PORT"] ?? 3000) },
  ({ port }) => console.log(`Listening on http://127.0.0.1:${port}`)
)

quiesce(nodeServer, { timeout: "5 seconds", signals: true })
