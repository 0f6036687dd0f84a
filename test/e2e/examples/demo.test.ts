import { describe, expect, it } from "vitest"
import { withChild } from "../../support/child.js"

describe("npm run demo", { timeout: 300_000 }, () => {
  it("ends by itself; everybody got everything from quiesce, and some did not from stock", () =>
    withChild(new URL("../../demo/main.ts", import.meta.url), [], async (child) => {
      const exit = await child.exit(280_000)
      const cells = (server: string) => child.stdout().match(new RegExp(`^ {2}${server} +[✓✗] .*$`, "gm")) ?? []
      expect(cells("quiesce").filter((cell) => cell.includes("✗"))).toEqual([])
      expect(cells("quiesce")).toHaveLength(8)
      expect(cells("stock").filter((cell) => cell.includes("✗")).length).toBeGreaterThanOrEqual(4)
      expect(exit.code).toBe(0)
    }))
})
