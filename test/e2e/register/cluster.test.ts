import { expect, it } from "vitest"
import { type Child, timesLogged, withChild } from "../../support/child.js"
import { get } from "../../support/httpRequests.js"
import { isGone } from "../../support/isGone.js"
import { type RawClient, withClient } from "../../support/rawClient.js"
import { waitFor } from "../../support/wait.js"
import { answer, limit, register, whole } from "./registered.js"

// Pins internal/node: outlivePrimary

const cluster = new URL("fixtures/cluster.cjs", import.meta.url)

/** With a client whose request is in flight in the worker. */
const withWorker = (execArgv: ReadonlyArray<string>, use: (child: Child, client: RawClient) => Promise<void>) =>
  withChild(cluster, [], async (child) => {
    await withClient(await child.listening(), async (client) => {
      await client.write(get("/slow"))
      await child.line("request", limit)
      await use(child, client)
    })
  }, { asItStands: true, execArgv, ownGroup: true })

/** The worker goes on when its primary has gone. */
const logged = (child: Child, text: string) => waitFor(() => child.stdout(), () => timesLogged(child, text) > 0, limit)

const pidOf = (child: Child) => child.linesOf("request")[0]?.["pid"] as number

it(
  "a worker of a cluster whose primary is killed answers what it owes, and exits 0",
  { timeout: 90_000 },
  () =>
    withWorker(register, async (child, client) => {
      child.signal("SIGKILL")
      await logged(child, "The primary of this cluster has ended")
      await logged(child, "Shutting down: draining for up to 8s; 1 connection open (1 Active)")
      expect(await answer(client)).toEqual(whole)
      await waitFor("the end of the worker", () => isGone(pidOf(child)), limit)
      expect(child.linesOf("exit")).toMatchObject([{ code: 0 }])
    })
)

it("without quiesce/register it is cut", { timeout: 90_000 }, () =>
  withWorker([], async (child, client) => {
    child.signal("SIGKILL")
    await waitFor("the end of the worker", () => isGone(pidOf(child)), limit)
    await client.untilEnded(limit)
    expect(client.bytes).toBe(0)
  }))
