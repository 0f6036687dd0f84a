// tRPC with its own adapter for node:http. Batches are one request: they are answered together, or not at all.
//
//   node trpc.js
//   curl "localhost:3000/slow"       and Ctrl-C the server
import { initTRPC } from "@trpc/server"
import { createHTTPServer } from "@trpc/server/adapters/standalone"
import { setInterval, setTimeout } from "node:timers/promises"
import { quiesce } from "quiesce/promise"

const t = initTRPC.create()
const router = t.router({
  hello: t.procedure.query(() => "hello"),
  slow: t.procedure.query(() => setTimeout(1000, "hello, one second later")),
  order: t.procedure.mutation(() => "accepted"),
  // an event stream: a drain ends it whole
  ticks: t.procedure.subscription(async function*({ signal }) {
    let count = 0
    for await (const _ of setInterval(200, undefined, { signal })) yield count++
  })
})

const nodeServer = createHTTPServer({ router })
quiesce(nodeServer, { signals: true })
nodeServer.listen(Number(process.env.PORT ?? 3000), "127.0.0.1")
