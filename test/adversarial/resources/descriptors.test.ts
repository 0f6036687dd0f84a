import { describe, expect, it } from "vitest"
import { type Child, withChild } from "../../support/child.js"
import { underDescriptors } from "../../support/program.js"
import { connect, type RawClient } from "../../support/rawClient.js"
import { codeOfInterrupted } from "../../support/runMain.js"
import { get } from "../../support/running.js"
import { waitFor } from "../../support/wait.js"
import { startHonestClients } from "../support/honestClients.js"
import { kinds } from "../support/site.js"
import { limit, withSiteProcess } from "../support/siteProcess.js"

// A process that has no descriptor left, by `ulimit -n`: whoever is connected is served, whoever comes is not, the
// server lives, and its shutdown needs none.

const limited = { under: underDescriptors(512) }

// The clients are in another process than the server, and may be late with their next request by more than a short grace.
const policy = { timeout: 8000, idleGrace: 3000, newConnectionGrace: 500 }

/** Clients that come when there is no room for them. */
const crowd = async (port: number, size: number): Promise<ReadonlyArray<RawClient>> =>
  Promise.all(Array.from({ length: size }, () => connect({ port })))

const answers = async (port: number): Promise<boolean> => {
  const raw = await connect({ port })
  try {
    await raw.write(get("/"))
    const { responses } = await raw.untilResponses(1, limit)
    return responses[0]?.status === 200
  } finally {
    raw.leave()
  }
}

const answeredInTheEnd = async (port: number) => {
  for (const startedAt = performance.now(); performance.now() - startedAt < limit;) {
    if (await answers(port).catch(() => false)) return
  }
  throw new Error("nobody was served although there are descriptors again")
}

/**
 * libuv gives up a descriptor of its own to accept those it has no room for, and closes them; else Node says so. A
 * connection of somebody else that closes meanwhile makes room for one more.
 */
const mostTurnedAway = (child: Child, crowd: ReadonlyArray<RawClient>) => {
  const open = () => crowd.filter(({ ending }) => ending === "open").length
  return waitFor(
    () => `most of the crowd to be turned away: ${open()} of ${crowd.length} are open`,
    () => child.stdout().includes("could not accept a connection") || open() < crowd.length / 2,
    limit
  )
}

for (const kind of kinds) {
  describe(`${kind} that has no descriptor left`, { timeout: 60_000 }, () => {
    it("serves those who are connected, turns others away, and serves them when there are descriptors again", () =>
      withSiteProcess(kind, policy, async (siteProcess) => {
        const { child, port } = siteProcess
        const honest = startHonestClients({ port })
        const clients: Array<RawClient> = []
        try {
          await honest.served(2, limit)
          await siteProcess.tell("exhaust 8", "exhausted")
          clients.push(...await crowd(port, 100))
          await mostTurnedAway(child, clients)
          await honest.served(20, limit)
          expect(honest.refused).toBe(0)
          await siteProcess.tell("free", "freed")
          await answeredInTheEnd(port)
          honest.closing()
          child.signal("SIGTERM")
          expect(await siteProcess.ended(limit)).toMatchObject({ outcome: "Drained", cut: [] })
          expect(honest.wronged).toEqual([])
        } finally {
          for (const raw of clients) raw.leave()
          await honest.stop(limit)
        }
      }, limited))

    it("drains in its bound while it has none, and while more are knocking", () =>
      withSiteProcess(kind, policy, async (siteProcess) => {
        const { child, port } = siteProcess
        const honest = startHonestClients({ port })
        const held = await connect({ port })
        const clients: Array<RawClient> = []
        try {
          await honest.served(2, limit)
          await held.write(get("/hold"))
          await held.untilText("first ", limit)
          await siteProcess.tell("exhaust 0", "exhausted")
          clients.push(...await crowd(port, 50))
          honest.closing()
          child.signal("SIGTERM")
          clients.push(...await crowd(port, 50))
          await waitFor("the end of every honest connection", () => honest.stop(limit).then(() => true), limit)
          await siteProcess.tell("release", "released")
          await held.untilText("last", limit)
          const report = await siteProcess.ended(limit)
          expect(report).toMatchObject({ outcome: "Drained", cut: [], connections: { cut: 0 } })
          expect(child.exited?.code).toBe(kind === "an Effect app" ? codeOfInterrupted : 0)
          expect(honest.wronged).toEqual([])
        } finally {
          held.leave()
          for (const raw of clients) raw.leave()
          await honest.stop(limit)
        }
      }, limited))
  })
}

describe("a process that has no descriptor left", () => {
  it("cannot listen, and says what is wrong and what to do", () =>
    withChild(new URL("../support/fixtures/listen.ts", import.meta.url), [], async (child) => {
      const failed = await child.line("failed", 30_000)
      expect(failed["message"]).toMatch(/EMFILE/)
      expect(failed["remedy"]).toMatch(/ulimit -n/)
      expect(await child.exit(limit)).toMatchObject({ code: 0 })
    }, limited))

  it(
    "cannot hand over, serves on, and can when there are descriptors again",
    { timeout: 60_000 },
    () =>
      withChild(new URL("../support/fixtures/handover.ts", import.meta.url), [], async (child) => {
        const target = await child.listening()
        const clients = startHonestClients(target)
        const admin = await connect(target)
        const order = async (nth: number, path: string) => {
          await admin.write(get(path))
          await admin.untilResponses(nth, limit)
        }
        try {
          await clients.served(2, limit)
          await order(1, "/exhaust")
          child.signal("SIGUSR2")
          await waitFor(() => `the failure in ${child.stdout()}`, () => /EMFILE/.test(child.stdout()), limit)
          await clients.served(20, limit)
          await order(2, "/free")
          child.signal("SIGUSR2")
          await child.line("listening", 30_000, 2)
          const [, second] = child.linesOf("listening")
          await waitFor("the first process to end", () => child.linesOf("exit").length === 1, limit)
          await clients.served(20, limit)
          expect(clients.wronged).toEqual([])
          clients.closing()
          process.kill(Number(second!["pid"]), "SIGTERM")
          await child.exit(limit)
          expect(clients.wronged).toEqual([])
        } finally {
          admin.leave()
          await clients.stop(limit)
          for (const { pid } of child.linesOf("listening")) {
            try {
              process.kill(Number(pid), "SIGKILL")
            } catch {
              // it has ended
            }
          }
        }
      }, limited)
  )
})
