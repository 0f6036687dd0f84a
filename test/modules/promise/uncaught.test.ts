import { describe, expect, it } from "vitest"
import { type Child, startLimit, withChild } from "../../support/child.js"
import { get } from "../../support/httpRequests.js"
import { type RawClient, responseOf, withClient } from "../../support/rawClient.js"

// An error that nobody has caught drains the server, where its owner wants that, and the exit code is 1.

const fixture = new URL("fixtures/uncaught.ts", import.meta.url)

/** With a client whose request is in flight, and another one that has sent none. */
const withClients = (
  mode: "drains" | "ends",
  use: (child: Child, held: RawClient, other: RawClient) => Promise<void>
) =>
  withChild(fixture, [mode], async (child) => {
    const target = await child.listening()
    await withClient(target, async (held) => {
      await held.write(get("/held"))
      await child.line("request", startLimit)
      await withClient(target, (other) => use(child, held, other))
    })
  })

describe.concurrent("an error that nobody has caught", { timeout: 60_000 }, () => {
  it.for(
    [
      ["/throw", "An exception that nobody has caught", "Error: thrown by a callback"],
      ["/reject", "A rejection that nobody handles", "Error: rejected by nobody in particular"]
    ] as const
  )(
    "%s: what is in flight is answered, `finally` runs, and the process ends with 1",
    ([path, what, error]) =>
      withClients("drains", async (child, held, other) => {
        await other.write(get(path))
        const answer = await responseOf(held)
        expect(answer).toMatchObject({ status: 200, complete: true })
        expect(answer.body.toString()).toBe("whole")
        expect(await child.exit(startLimit)).toMatchObject({ code: 1, signal: null })
        expect(child.linesOf("finally")).toEqual([{ event: "finally", outcome: "Drained", error }])
        expect(child.stdout()).toContain(`${what}: shutting down: ${error}`)
      })
  )

  it("ends the process at once without that, as Node does", () =>
    withClients("ends", async (child, _, other) => {
      await other.write(get("/throw"))
      expect(await child.exit(startLimit)).toMatchObject({ code: 1 })
      expect(child.linesOf("finally")).toEqual([])
    }))
})
