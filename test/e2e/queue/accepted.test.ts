import * as Fs from "node:fs"
import * as Http from "node:http"
import * as Os from "node:os"
import * as Path from "node:path"
import { afterAll, describe, expect, it } from "vitest"
import { type Child, startLimit, withChild } from "../../support/child.js"

// Orders that were answered with 202 and wait in memory are all fulfilled, over restarts under load.

const restarts = process.env["RELEASE"] === undefined ? 8 : 50

/** Accepted by each process before it is told to stop. */
const perProcess = 200

const clients = 8

const directory = Fs.mkdtempSync(Path.join(Os.tmpdir(), "quiesce-queue-"))
afterAll(() => Fs.rmSync(directory, { recursive: true, force: true }))

/** Whether the order was accepted; `undefined`: nobody answered. */
const place = (agent: Http.Agent, port: number, order: string): Promise<number | undefined> =>
  new Promise((resolve) => {
    const request = Http.request({ agent, host: "127.0.0.1", port, path: "/orders", method: "POST" }, (response) => {
      response.resume().once("end", () => resolve(response.statusCode))
    })
    request.once("error", () => resolve(undefined))
    request.end(order)
  })

/** Clients that order until nobody answers; `onAccepted` is told how many were accepted. */
const load = async (port: number, prefix: string, onAccepted: (count: number) => void) => {
  const accepted: Array<string> = []
  const one = async (client: number) => {
    const agent = new Http.Agent({ keepAlive: true, maxSockets: 1 })
    for (let n = 0;; n++) {
      const order = `${prefix}-${client}-${n}`
      const status = await place(agent, port, order)
      if (status === undefined) return agent.destroy()
      if (status !== 202) continue
      accepted.push(order)
      onAccepted(accepted.length)
    }
  }
  await Promise.all(Array.from({ length: clients }, (_, client) => one(client)))
  return accepted
}

const linesOf = (file: string) => Fs.existsSync(file) ? Fs.readFileSync(file, "utf8").split("\n").filter(Boolean) : []

/** One process under load, from its start to its end. */
const run = async (program: string, args: ReadonlyArray<string>, file: string, prefix: string) => {
  let waiting = 0
  let accepted: ReadonlyArray<string> = []
  let ended: Child | undefined
  const exit = await withChild(new URL(`fixtures/${program}.ts`, import.meta.url), [file, ...args], async (child) => {
    const before = linesOf(file).length
    const target = await child.listening()
    if (!("port" in target)) throw new Error("it listens on no port")
    accepted = await load(target.port, prefix, (count) => {
      if (count !== perProcess) return
      waiting = count - (linesOf(file).length - before)
      child.signal("SIGTERM")
    })
    ended = child
    return child.exit(startLimit)
  })
  return { accepted, exit, waiting, report: ended?.linesOf("report")[0] }
}

describe.each(["plain", "effect"])("orders that were accepted, %s", (program) => {
  it(`of ${restarts} processes that are stopped under load: none is lost, none is fulfilled twice`, async () => {
    const file = Path.join(directory, program)
    const accepted: Array<string> = []
    for (let n = 0; n < restarts; n++) {
      const ran = await run(program, [], file, String(n))
      expect(ran.exit).toMatchObject({ code: 0, signal: null })
      expect(ran.report).toMatchObject({ outcome: "Drained", background: [{ outcome: "Completed" }] })
      expect(ran.waiting, "orders that waited in memory at SIGTERM").toBeGreaterThan(0)
      accepted.push(...ran.accepted)
    }
    const fulfilled = linesOf(file)
    const lost = new Set(accepted)
    for (const order of fulfilled) lost.delete(order)
    console.log(`${program}: ${accepted.length} accepted over ${restarts} restarts, ${lost.size} lost`)
    expect(accepted.length).toBeGreaterThanOrEqual(restarts * perProcess)
    expect([...lost]).toEqual([])
    expect(new Set(fulfilled).size).toBe(fulfilled.length)
  }, 900_000)
})

describe("orders that a shutdown does not know of", () => {
  it("are lost: what is tried above can fail", async () => {
    const file = Path.join(directory, "untracked")
    const { accepted, exit } = await run("plain", ["10000"], file, "0")
    expect(exit).toMatchObject({ code: 0 })
    expect(accepted.length).toBeGreaterThanOrEqual(perProcess)
    expect(linesOf(file).length).toBeLessThan(accepted.length)
  }, 60_000)
})
