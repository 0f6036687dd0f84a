import { it } from "vitest"
import { holds } from "./scenario.js"

// It came while the listener closed, was kept from its handler until then, and refused: the deadline had passed.
it("a request that was held back, and refused at the deadline, is not counted as served", () =>
  holds({
    policy: { timeout: 0, idleGrace: 0, newConnectionGrace: 0 },
    steps: [
      [{ _tag: "Connect", listener: 0, halfOpen: false }, "turn"],
      [{ _tag: "Shutdown", how: "call" }, "none"],
      { _tag: "Request", client: 0, kind: "big", head: false, part: 100 },
      { _tag: "Close" }
    ]
  }))
