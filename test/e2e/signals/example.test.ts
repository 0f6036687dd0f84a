import { describe, expect, it } from "vitest"
import { afterDuplicateWindow } from "../../support/duplicateWindow.js"
import { position, withExample } from "../../support/example.js"
import { withClient } from "../../support/rawClient.js"
import { answer, limit } from "./signalledApp.js"

describe("the example", { timeout: 60_000 }, () => {
  it("ends its lame duck on the second Ctrl-C, cuts on the third, closes its database, and exits with 130", () =>
    withExample("signals", async ({ child, logged, target }) => {
      await withClient(target, async (client) => {
        await client.write("GET /slow HTTP/1.1\r\nHost: test\r\n\r\n")
        await afterDuplicateWindow(child)
        child.signal("SIGINT")
        await logged(/serving on for 5s/)
        await afterDuplicateWindow(child)
        child.signal("SIGINT")
        await logged(/Another SIGINT: draining at once/)
        await afterDuplicateWindow(child)
        child.signal("SIGINT")
        expect(await answer(client)).toMatchObject({ status: 503 })
      })
      const exit = await child.exit(limit)
      expect(exit.code).toBe(130)
      expect(exit.msSinceSignal).toBeLessThan(5000)
      expect(position(child, /^database closed/)).toBeLessThan(
        position(child, /^the server is Closed; requests cut: 1/)
      )
    }))
})
