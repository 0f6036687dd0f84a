import { describe, expect, it } from "vitest"
import { Shutdown } from "../../../src/index.js"
import { describeWith } from "../../support/describeWith.js"
import { haproxy, nginx } from "../../support/program.js"
import { type Result, roll } from "./rolling.js"

// A short `npm run rolling`, with the configurations of examples/deploy.

/** Longer than HAProxy takes to know: 2 checks, of a second each. */
const lameDuck = "3 seconds"

/** nginx forgets after fail_timeout, 1 second, that it was refused; it counts in whole ones. */
const pauseMs = 3000

const nothingLost = {
  failed: 0,
  statuses: {},
  executedUnanswered: 0,
  executedAgain: 0
}

const whyNot = ({ proxyErrors }: Result) => proxyErrors.join("\n")

describe.concurrent("instances that are restarted in turn under load", { timeout: 150_000 }, () => {
  describeWith(haproxy, () => {
    it("behind HAProxy: no request is lost", async () => {
      const result = await roll({ proxy: "haproxy", restarts: 4, policy: Shutdown.kubernetes({ lameDuck }) })
      expect(result, whyNot(result)).toMatchObject(nothingLost)
      expect(result.restarts.map(({ exit }) => exit.code)).toEqual([0, 0, 0, 0])
      expect(result.accepted).toBeGreaterThan(500)
    })

    it("without a lame duck, behind a proxy that tries no other instance, clients see 503", async () => {
      const policy = Shutdown.kubernetes({ lameDuck: 0 })
      const { closed, executedUnanswered, failed, refused, reset, statuses, unanswered } = await roll({
        proxy: "haproxy",
        restarts: 1,
        policy,
        withoutRetry: true
      })
      expect(failed).toBeGreaterThan(10)
      // refused, every one of them: what was begun was ended
      expect({ statuses, closed, refused, reset, unanswered })
        .toEqual({ statuses: { 503: failed }, closed: 0, refused: 0, reset: 0, unanswered: 0 })
      expect(executedUnanswered).toBe(0)
    })
  })

  describeWith(nginx, () => {
    it("behind nginx, which asks no instance whether it is ready, and connects until it is refused", async () => {
      const result = await roll({ proxy: "nginx", restarts: 4, policy: Shutdown.kubernetes({ lameDuck: 0 }), pauseMs })
      expect(result, whyNot(result)).toMatchObject(nothingLost)
      expect(result.restarts.map(({ exit }) => exit.code)).toEqual([0, 0, 0, 0])
      expect(result.accepted).toBeGreaterThan(500)
    })
  })
})
