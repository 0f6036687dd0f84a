// A fastify app without Effect: a request that is running at SIGTERM is answered, then the onClose hooks of its plugins
// run, and the process ends by itself.
//
//   node --import tsx examples/fastify.ts
//   curl localhost:3000/slow       and Ctrl-C the server meanwhile: the answer still comes
import { fastify } from "fastify"
import { setTimeout } from "node:timers/promises"
import { quiesce } from "quiesce/promise"

const app = fastify()
app.get("/", () => "hello\n")
app.get("/slow", async () => {
  await setTimeout(1000)
  return "hello, one second later\n"
})
app.addHook("onClose", async () => console.log("database closed"))

quiesce(app, { timeout: "5 seconds", signals: true })

console.log(`Listening on ${await app.listen({ host: "127.0.0.1", port: Number(process.env["PORT"] ?? 3000) })}`)
