import { it } from "vitest"
import { holds } from "./scenario.js"

// Pins internal/node: isKept

// Node has the head of an answer that was given before its turn, and its client has nothing.
it("an answer that waits behind another one at the deadline is not reported as truncated: nothing of it was sent", () =>
  holds({
    policy: { killTimeout: 200 },
    finale: "wait",
    steps: [
      [{ _tag: "Connect", listener: 0, halfOpen: false }, "none"],
      [{ _tag: "Request", client: 0, kind: "masked", head: false, part: 100 }, "none"],
      { _tag: "Request", client: 0, kind: "deaf", head: false, part: 100 }
    ]
  }))
