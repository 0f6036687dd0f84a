import { it } from "vitest"
import { holds } from "./scenario.js"

// As a large answer was cut, Node handed the one behind it to the dead socket, and called it written.
it("a 503 that waits behind an answer that is cut is not reported as one that its client has", () =>
  holds({
    policy: { lameDuck: 2000, idleGrace: 50, newConnectionGrace: 0, poll: "never" },
    held: "scope",
    finale: "close",
    steps: [
      [{ _tag: "Connect", listener: 0, halfOpen: false }, "none"],
      { _tag: "Pipeline", client: 0, kinds: ["held", "held"] },
      { _tag: "Pipeline", client: 0, kinds: ["big", "held", "held"] },
      { _tag: "ReadOn", client: 0 }
    ]
  }))
