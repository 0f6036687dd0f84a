// winston. Its transports write in their own time: `finally` ends the logger, and waits until all of it is written.
//
//   node winston.js
//   curl localhost:3000/slow       and Ctrl-C the server
import express from "express"
import { once } from "node:events"
import { setTimeout } from "node:timers/promises"
import { quiesce } from "quiesce/promise"
import winston from "winston"

const log = winston.createLogger({
  format: winston.format.json(),
  transports: [new winston.transports.Console()]
})

const app = express()
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
  finally: async () => {
    const finished = once(log, "finish")
    log.end()
    await finished
  }
})
