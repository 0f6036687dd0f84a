import { describe, expect, it } from "vitest"
import { timesLogged } from "../../support/child.js"
import { limit, withProcess } from "./sharedProcess.js"

// The second of two signals for one wish comes within half a second, which a busy machine may need for the first.

describe("two signals", { timeout: 90_000 }, () => {
  it("for one Ctrl-C are one, also when the drain has taken no time and something keeps the process alive", () =>
    withProcess({ api: "promise", held: true }, async (child) => {
      child.signal("SIGINT")
      await child.line("closed", limit)
      child.signal("SIGTERM")
      expect(await child.exit(limit)).toMatchObject({ code: 0, signal: null })
      expect(timesLogged(child, "ending it with exit code 0")).toBe(1)
    }))
})
