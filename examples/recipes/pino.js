// pino. What a drain says goes to the same log, line by line; and the log is flushed after the last of it.
//
//   node pino.js
//   curl localhost:3000/slow       and Ctrl-C the server
import express from "express"
import { setTimeout } from "node:timers/promises"
import pino from "pino"
import { pinoHttp } from "pino-http"
import { quiesce } from "quiesce/promise"

const log = pino({ name: "orders" })

const app = express()
app.use(pinoHttp({ logger: log }))
app.get("/", (_, response) => response.send("hello\n"))
app.get("/slow", async (_, response) => {
  await setTimeout(1000)
  response.send("hello, one second later\n")
})
app.post("/orders", express.text({ type: () => true }), (_, response) => response.status(202).send("accepted\n"))

const nodeServer = app.listen(Number(process.env.PORT ?? 3000), "127.0.0.1")

quiesce(nodeServer, {
  signals: true,
  logger: (level, message) => log[level](message),
  // a transport writes from a thread of its own: wait until it has all
  finally: () => new Promise((resolve) => log.flush(resolve))
})
