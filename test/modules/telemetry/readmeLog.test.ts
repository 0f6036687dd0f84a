import { readFileSync } from "node:fs"
import { describe, expect, it } from "vitest"
import { startLimit } from "../../support/child.js"
import { withExample } from "../../support/example.js"
import { withClient } from "../../support/rawClient.js"
import { get } from "../../support/running.js"
import { pace } from "../../support/wait.js"

// What README.md and docs/operating.md show of the log is what is printed: all but times, durations, ports and the numbers of fibers.

const shape = (text: string): ReadonlyArray<string> =>
  text.trim().split("\n").map((line) =>
    line
      .replace(/^\[[\d:.]+\]/, "[time]")
      .replace(/\(#\d+\)/, "(#fiber)")
      .replaceAll(/127\.0\.0\.1:\d+/g, "127.0.0.1:port")
      .replaceAll(/(?<!up to )\b\d+m?s\b( \d+ms)?/g, "duration")
  )

const shown = (name: string) => {
  const page = readFileSync(new URL(`../../../${name}`, import.meta.url), "utf8")
  const block = page.split("A request of 2 s and a SIGTERM")[1]?.split("```text\n")[1]?.split("\n```")[0]
  return shape(block ?? "")
}

describe("the log in the documents", () => {
  it("is what its example prints", () =>
    withExample("quickstart", async ({ child, logged, target }) => {
      await withClient({ host: "127.0.0.1", ...target }, async (client) => {
        await client.write(get("/slow"))
        // answered after it on a connection of its own, which the server has closed by then: the first request has arrived
        await withClient({ host: "127.0.0.1", ...target }, async (other) => {
          await other.write("GET / HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n")
          await other.untilEnded(startLimit)
        })
        await pace(100)
        child.signal("SIGTERM")
        await logged(/Draining: waiting/)
        await client.untilResponses(1, startLimit)
      })
      expect(await child.exit(startLimit)).toMatchObject({ code: 0 })
      const printed = shape(child.stdout())
      expect(printed, child.stdout()).toHaveLength(4)
      for (const page of ["README.md", "docs/operating.md"]) expect(printed, child.stdout()).toEqual(shown(page))
    }))
})
