import { describe, expect, it } from "vitest"
import { withChild } from "../../support/child.js"

// Requests go our own way where the platform's classes are as we know them, and else the platform's: to the same end.

const exchanges = new URL("fixtures/exchanges.ts", import.meta.url)
const otherPlatform = new URL("fixtures/otherPlatform.mjs", import.meta.url).href

/** Which fields the scope of a request has says whose it is. */
const ways = {
  "our own way": { scope: "span,strategy", options: { env: { QUIESCE_FAST_PATH: "on" } } },
  "the platform's way, where its requests are others": {
    scope: "state,strategy",
    options: { packages: "external", execArgv: ["--import", otherPlatform], env: { SHAPE: "request" } }
  },
  "the platform's way, where Effect's scopes are others": {
    scope: "something,state,strategy",
    options: { packages: "external", execArgv: ["--import", otherPlatform], env: { SHAPE: "scope" } }
  }
} as const

describe.concurrent("requests are served, interrupted and drained", () => {
  for (const [name, { options, scope }] of Object.entries(ways)) {
    it(name, () =>
      withChild(exchanges, [], async (child) => {
        const { code } = await child.exit(40_000)
        expect(code, child.stderr()).toBe(0)
        expect(child.lines).toEqual([
          {
            event: "answers",
            answers: [
              [200, "hello", true],
              [200, "echoed", true],
              [200, "abc", true],
              [500, "", true],
              [404, "", true],
              [200, scope, true]
            ]
          },
          { event: "stopped", outcome: "Drained", served: 0 },
          {
            event: "drained",
            idle: "fin",
            stream: [200, true],
            late: "refused",
            heldUntilNow: true,
            held: [200, "held", "close", "fin"],
            outcome: "Drained",
            served: 2,
            cut: 0
          },
          {
            event: "cut",
            answer: [503, "close"],
            outcome: "DeadlineExceeded",
            served: 0,
            cut: [["/never", "503"]],
            exits: ["abandoned: Failure", "held: Success", "never: Failure"]
          }
        ])
      }, options), 60_000)
  }
})
