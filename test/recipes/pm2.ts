/**
 * PM2 itself, with the ecosystem file of the recipe: it reloads two workers under load, with slow requests in flight on
 * each. The same without quiesce says that the load would see a loss.
 */
import * as Fs from "node:fs"
import * as Http from "node:http"
import * as Os from "node:os"
import * as Path from "node:path"
import { freePort } from "../../src/internal/check/process/listening.js"
import { startBusyClients } from "../support/busyClient.js"
import { isGone } from "../support/isGone.js"
import * as Programs from "../support/program.js"
import { waitFor } from "../support/wait.js"
import { folder } from "./recipes.js"

const node: Programs.Program = { name: "Node", commands: ["node"], debian: "nodejs" }

const limitMillis = 120_000

const reloads = 3
const instances = 2

/** Slow requests that are in flight at a time: more than there are workers, so that each has some. */
const slowClients = 6

interface Outcome {
  readonly answered: number
  readonly lost: number
  readonly slow: number
  readonly slowLost: number
  /** Workers that have answered something. */
  readonly workers: number
  readonly faults: ReadonlyArray<string>
}

type Pm2 = (...args: ReadonlyArray<string>) => Promise<string>

/** With a PM2 of its own, whose daemon has ended after that. */
const withPm2 = async <A>(env: Readonly<Record<string, string>>, use: (pm2: Pm2) => Promise<A>): Promise<A> => {
  const home = Fs.mkdtempSync(Path.join(Os.tmpdir(), "pm2-"))
  const all = { ...process.env, ...env, PM2_DISABLE_VERSION_CHECK: "true", PM2_HOME: home }
  const pm2: Pm2 = async (...args) => {
    const running = Programs.start(node, ["node_modules/pm2/bin/pm2", ...args], { cwd: folder, env: all })
    try {
      const { code, signal } = await running.ran(limitMillis)
      if (code !== 0) throw new Error(`pm2 ${args.join(" ")}: ${code ?? signal}\n${running.output()}${logs(home)}`)
      return running.output()
    } finally {
      await running.kill()
    }
  }
  try {
    await pm2("ping")
    const daemon = Number(Fs.readFileSync(Path.join(home, "pm2.pid"), "utf8"))
    try {
      return await use(pm2)
    } finally {
      await pm2("kill")
      await waitFor("the end of PM2's daemon", () => isGone(daemon), limitMillis)
    }
  } finally {
    Fs.rmSync(home, { recursive: true, force: true })
  }
}

const logs = (home: string): string => {
  const log = Path.join(home, "pm2.log")
  return Fs.existsSync(log) ? Fs.readFileSync(log, "utf8").slice(-2000) : ""
}

/** On a connection of its own. The process that has answered it whole, or nothing. */
const askSlow = (port: number): Promise<string | undefined> =>
  new Promise((resolve) => {
    const request = Http.get({ agent: false, host: "127.0.0.1", path: "/slow", port }, (response) => {
      let body = ""
      response.setEncoding("utf8").on("data", (text: string) => (body += text))
      response.once("error", () => resolve(undefined))
      response.once("close", () => {
        const isWhole = response.complete && body === "hello, after a while\n"
        resolve(isWhole ? String(response.headers["x-process"]) : undefined)
      })
    })
    request.once("error", () => resolve(undefined))
  })

const reloaded = async (times: number, env: Readonly<Record<string, string>>): Promise<Outcome> => {
  const port = await freePort()
  return withPm2({ ...env, PORT: String(port) }, async (pm2) => {
    await pm2("start", "pm2.config.cjs")
    const clients = startBusyClients({ port }, { clients: 8, thinkMs: () => 5 })
    const slow: Array<string | undefined> = []
    let isOver = false
    const askAgain = async (): Promise<void> => {
      while (!isOver) slow.push(await askSlow(port))
      // the last workers have some, too
      slow.push(await askSlow(port))
    }
    const asking = Array.from({ length: slowClients }, askAgain)
    for (let nth = 0; nth < times; nth++) await pm2("reload", "pm2.config.cjs")
    isOver = true
    await waitFor("the last slow answers", Promise.all(asking), limitMillis)
    const { answered, lostEstablished, lostOpening, statuses, unanswered } = await clients.stop(limitMillis)
    const workers = new Set(slow.filter((pid) => pid !== undefined)).size
    return {
      answered,
      lost: lostEstablished + lostOpening + unanswered,
      slow: slow.length,
      slowLost: slow.filter((pid) => pid === undefined).length,
      workers,
      faults: Object.keys(statuses).some((status) => status !== "200") ? [`statuses ${JSON.stringify(statuses)}`] : []
    }
  })
}

/** What is wrong with it. */
export const pm2Faults = async (): Promise<ReadonlyArray<string>> => {
  const version = (JSON.parse(Fs.readFileSync(Path.join(folder, "node_modules/pm2/package.json"), "utf8")) as {
    version: string
  }).version
  const { answered, faults, lost, slow, slowLost, workers } = await reloaded(reloads, {})
  console.log(
    `pm2: pm2 ${version}: ${reloads} reloads, ${workers} workers, ${answered} requests answered, ${lost} lost, and `
      + `${slowLost} of ${slow} slow ones`
  )
  const without = await reloaded(1, { QUIESCE: "off" })
  console.log(`  1 reload without quiesce: ${without.lost} lost, and ${without.slowLost} of ${without.slow} slow ones`)
  return [
    ...faults,
    ...lost > 0 ? [`${lost} requests were lost over ${reloads} reloads`] : [],
    ...slowLost > 0 ? [`${slowLost} slow requests were lost over ${reloads} reloads`] : [],
    ...answered === 0 ? ["nothing was answered"] : [],
    ...workers < instances * (reloads + 1) ? [`only ${workers} workers have answered: it was not reloaded`] : [],
    ...without.slowLost === 0 ? ["without quiesce nothing was lost: this check sees nothing"] : []
  ]
}
