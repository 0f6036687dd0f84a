/** Orders that were accepted with 202 over restarts under load, by the count of Redis: each is fulfilled, and once. */
import * as Http from "node:http"
import { createRequire } from "node:module"
import * as Path from "node:path"
import { pace } from "../support/wait.js"
import { folder } from "./recipes.js"
import { ask, withRecipe } from "./server.js"

const restarts = 5
const clients = 10
const loadMillis = 600
const endMillis = 15_000

interface Redis {
  readonly quit: () => Promise<unknown>
}

interface Bullmq {
  readonly Queue: new(name: string, options: { readonly connection: Redis }) => {
    readonly getJobCounts: () => Promise<Readonly<Record<string, number>>>
    readonly getFailed: () => Promise<ReadonlyArray<{ readonly failedReason: string }>>
    readonly getCompleted: () => Promise<ReadonlyArray<{ readonly data: string; readonly attemptsStarted: number }>>
    readonly obliterate: (options: { readonly force: boolean }) => Promise<void>
    readonly close: () => Promise<void>
  }
}

/** Sends orders one after the other until the server takes no more, and returns those that it has accepted. */
const client = async (port: number, prefix: string): Promise<ReadonlyArray<string>> => {
  const agent = new Http.Agent({ keepAlive: true, maxSockets: 1 })
  const accepted: Array<string> = []
  try {
    for (let nth = 0;; nth++) {
      const order = `${prefix}-${nth}`
      const { status } = await ask(port, { path: "/orders", body: order }, agent)
      if (status === 202) accepted.push(order)
    }
  } catch {
    return accepted
  } finally {
    agent.destroy()
  }
}

export const acceptedJobs = async (redisPort: number): Promise<ReadonlyArray<string>> => {
  const load = createRequire(Path.join(folder, "package.json"))
  const { Queue } = load("bullmq") as Bullmq
  const { default: Redis } = load("ioredis") as { readonly default: new(port: number, host: string) => Redis }
  const redis = new Redis(redisPort, "127.0.0.1")
  const queue = new Queue("orders", { connection: redis })
  const env = { REDIS_PORT: `${redisPort}` }
  const faults: Array<string> = []
  try {
    // of `quiesce check`
    await queue.obliterate({ force: true })
    const accepted: Array<string> = []
    for (let restart = 0; restart < restarts; restart++) {
      await withRecipe({ name: "bullmq" }, env, async (port, running) => {
        const sending = Array.from({ length: clients }, (_, nth) => client(port, `${restart}-${nth}`))
        await pace(loadMillis)
        running.child.kill("SIGTERM")
        accepted.push(...(await Promise.all(sending)).flat())
        const { code } = await running.ran(endMillis)
        if (code !== 0) faults.push(`bullmq has ended with ${code}: ${running.output().slice(-500)}`)
        const { active = 0 } = await queue.getJobCounts()
        if (active > 0) faults.push(`${active} jobs were left in the middle`)
      })
    }
    await withRecipe({ name: "bullmq" }, env, async () => {
      const since = Date.now()
      let left = 1
      while (left > 0 && Date.now() - since < 120_000) {
        const { active = 0, waiting = 0 } = await queue.getJobCounts()
        left = active + waiting
        await pace(100)
      }
    })
    const completed = await queue.getCompleted()
    const fulfilled = new Set(completed.map(({ data }) => data))
    const lost = accepted.filter((order) => !fulfilled.has(order))
    const twice = completed.filter(({ attemptsStarted }) => attemptsStarted > 1)
    console.log(`  ${accepted.length} orders accepted over ${restarts} restarts, ${fulfilled.size} fulfilled`)
    if (accepted.length === 0) faults.push("no order was accepted")
    if (lost.length > 0) {
      faults.push(`${lost.length} accepted orders were not fulfilled: ${lost.slice(0, 5).join(", ")}`)
    }
    if (twice.length > 0) faults.push(`${twice.length} orders were begun twice`)
    return faults
  } finally {
    await queue.close()
    await redis.quit()
  }
}
