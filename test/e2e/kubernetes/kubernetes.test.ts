import { describe, expect, it } from "vitest"
import { connect, type RawClient, withClient } from "../../support/rawClient.js"
import { now, pace, waitFor } from "../../support/wait.js"
import { load, type Pod, probe, runPod, Service } from "./cluster.js"
import type { Options } from "./fixtures/pod.js"

// The arithmetic of a rolling restart: the lame duck is as long as the endpoint's removal takes to reach the nodes, and
// lameDuck + timeout + killTimeout fit in terminationGracePeriodSeconds.

const withPods = async (options: ReadonlyArray<Options>, use: (...pods: ReadonlyArray<Pod>) => Promise<void>) => {
  const pods = await Promise.all(options.map(runPod))
  try {
    await use(...pods)
  } finally {
    await Promise.all(pods.map(({ child }) => child.kill()))
  }
}

/** How long the nodes go on sending to a pod after it was told to stop. */
const propagationMs = 2000

const graceMs = 15_000

const kubernetes = { terminationGracePeriod: graceMs, lameDuck: "3 seconds", keepAliveTimeout: "1 second" } as const

/** Deletes the pod while clients send, and returns what they saw. */
const deleteUnderLoad = async (old: Pod, other: Pod, removed: () => Promise<void>) => {
  const service = new Service([old, other])
  const clients = load(service)
  try {
    await waitFor(
      "both pods to be sent to",
      () => [old, other].every(({ name }) => (clients.answers.get(name)?.length ?? 0) >= 50),
      10_000
    )
    const signalledAt = Date.now()
    old.child.signal("SIGTERM")
    await removed()
    service.endpoints.delete(old)
    const exit = await old.child.exitWithin(graceMs)
    const before = clients.answers.get(other.name)?.length ?? 0
    await waitFor("the other pod to go on", () => (clients.answers.get(other.name)?.length ?? 0) > before + 20, 10_000)
    return {
      exit,
      failures: [...clients.failures],
      afterSignal: clients.answers.get(old.name)?.filter((at) => at > signalledAt + 100).length ?? 0
    }
  } finally {
    await clients.stop()
  }
}

describe.concurrent("a pod that is deleted", { timeout: 60_000 }, () => {
  it("serves what the nodes still send to it: nothing is lost, and it exits 0 within its grace period", () =>
    withPods([{ name: "old", kubernetes }, { name: "new", kubernetes }], async (old, other) => {
      let slow: RawClient | undefined
      const seen = await deleteUnderLoad(old, other, async () => {
        await pace(propagationMs)
        // comes with the last connection that a node makes, and still runs when the listener closes
        slow = await connect({ port: old.port })
        await slow.write("GET /slow HTTP/1.1\r\nHost: test\r\n\r\n")
      })
      const [response] = (await slow!.untilResponses(1, 15_000)).responses
      expect(response).toMatchObject({ status: 200, headers: { connection: "close" } })
      expect(response?.body.toString()).toBe("slow")
      expect(seen.failures).toEqual([])
      expect(seen.afterSignal).toBeGreaterThan(5)
      expect(seen.exit).toMatchObject({ code: 0, signal: null })
    }))

  it("without a lame duck it refuses what the nodes still send to it", () =>
    withPods([{ name: "old", policy: {} }, { name: "new", kubernetes }], async (old, other) => {
      const seen = await deleteUnderLoad(old, other, () => pace(propagationMs))
      expect(seen.failures.length).toBeGreaterThan(5)
      expect(seen.failures.filter((failure) => !failure.includes("ECONNREFUSED"))).toEqual([])
      expect(seen.exit).toMatchObject({ code: 0 })
    }))

  it("a load balancer that asks /readyz leaves it before it stops accepting", () =>
    withPods([{ name: "old", kubernetes }, { name: "new", kubernetes }], async (old, other) => {
      const statuses: Array<number> = []
      const seen = await deleteUnderLoad(old, other, async () => {
        // twice in a row, as most of them want it
        while (statuses.filter((status) => status === 500).length < 2) {
          statuses.push(await probe(old.admin, "/readyz"))
          await pace(200)
        }
      })
      expect(seen.failures).toEqual([])
      expect(seen.exit).toMatchObject({ code: 0 })
    }))

  it("with a request that never ends it has stopped, and released everything, before SIGKILL", () => {
    const kubernetes = {
      terminationGracePeriod: "8 seconds",
      lameDuck: "2 seconds",
      keepAliveTimeout: "1 second"
    } as const
    return withPods([{ name: "old", kubernetes }], async ({ admin, child, port }) => {
      await withClient({ port }, async (stuck) => {
        await stuck.write("GET /never HTTP/1.1\r\nHost: test\r\n\r\n")
        await child.line("stuck", 15_000)
        expect(await probe(admin, "/readyz")).toBe(200)
        child.signal("SIGTERM")
        const begun = now()
        await waitFor("not ready", pollUntil(() => probe(admin, "/readyz"), 500), 15_000)
        // during all of it, and by a request that says which one it waits for
        while (now() - begun < 4000) {
          expect(await probe(admin, "/livez")).toBe(200)
          const { requests } = await (await fetch(`http://127.0.0.1:${admin}/requests`)).json() as {
            readonly requests: unknown
          }
          expect(requests).toMatchObject([{ method: "GET", path: "/never" }])
          await pace(200)
        }
        const exit = await child.exitWithin(8000)
        expect(exit).toMatchObject({ code: 1, signal: null })
        expect(child.linesOf("released")).toHaveLength(1)
        expect((await stuck.untilResponses(1, 15_000)).responses[0]).toMatchObject({ status: 503 })
      })
    })
  })
})

const pollUntil = async (ask: () => Promise<number>, status: number): Promise<void> => {
  while ((await ask()) !== status) await pace(20)
}
