// BullMQ: orders are answered with 202 when Redis has them, and a consumer in the same process works on them. A shutdown
// takes no more jobs, finishes those that run, and then closes the connections. What is still waiting is in Redis, for
// the next process.
//
//   redis-server --port 6379 & node bullmq.js
//   for i in $(seq 20); do curl -d "order $i" localhost:3000/orders; done       and Ctrl-C the server
import { Queue, Worker } from "bullmq"
import express from "express"
import Redis from "ioredis"
import { once } from "node:events"
import { setTimeout } from "node:timers/promises"
import { quiesce } from "quiesce/promise"

// what is passed to BullMQ is not closed by it: the consumer and the routes use it until the end
const redis = new Redis(Number(process.env.REDIS_PORT ?? 6379), "127.0.0.1", { maxRetriesPerRequest: null })
const orders = new Queue("orders", { connection: redis })

const app = express()
app.get("/", (_, response) => response.send("hello\n"))
app.get("/slow", async (_, response) => {
  await setTimeout(1000)
  response.send("hello, one second later\n")
})
app.post("/orders", express.text({ type: () => true }), async (request, response) => {
  await orders.add("order", request.body)
  response.status(202).send("accepted\n")
})

const nodeServer = app.listen(Number(process.env.PORT ?? 3000), "127.0.0.1")

const server = quiesce(nodeServer, {
  signals: true,
  finally: async () => {
    await orders.close()
    await redis.quit()
  }
})

server.worker("orders", async (signal) => {
  const fulfil = async (job) => {
    await setTimeout(50)
    return job.data
  }
  const worker = new Worker("orders", fulfil, { connection: redis, concurrency: 5 })
  worker.on("error", (error) => console.error(`The consumer of orders: ${error.message}`))
  if (!signal.aborted) await once(signal, "abort")
  // takes no more, and ends when the jobs that run have ended
  await worker.close()
})
