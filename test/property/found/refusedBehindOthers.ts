import { it } from "vitest"
import { holds } from "./scenario.js"

// Its 503 waits for the answers before it, and goes with them.
it("a request that is refused at the deadline is not told so behind one that is cut", () =>
  holds({
    policy: { lameDuck: 2000, killTimeout: 0, idleGrace: 0, newConnectionGrace: 0 },
    finale: "wait",
    steps: [
      [{ _tag: "Connect", listener: 0, halfOpen: false }, "turn"],
      { _tag: "Shutdown", how: "call" },
      [{ _tag: "Pipeline", client: 0, kinds: ["masked", "stream", "held"] }, "turn"],
      [{ _tag: "Request", client: 0, kind: "held", head: false, part: 100 }, "turn"],
      { _tag: "Close" },
      { _tag: "Finish", handler: 0, how: "answer" }
    ]
  }))
