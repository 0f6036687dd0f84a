import { it } from "vitest"
import { holds } from "./scenario.js"

// Node reads no more while answers wait for their turn. At the deadline the kernel sent a RST for what was unread, which
// took back the rest of an answer that it had taken: the report did not name it.
it("a large answer that leaves at the deadline arrives whole, or the report names it", () =>
  holds({
    policy: { idleGrace: 0, killTimeout: 0 },
    finale: "wait",
    steps: [
      { _tag: "Connect", listener: 0, halfOpen: false },
      { _tag: "Request", client: 0, kind: "big", head: false, part: 100 },
      { _tag: "Request", client: 0, kind: "held", head: false, part: 1 },
      [{ _tag: "Rest", client: 0, part: 100 }, "none"],
      [{ _tag: "Pipeline", client: 0, kinds: ["big", "big"] }, "none"],
      { _tag: "ReadOn", client: 0 },
      { _tag: "Pipeline", client: 0, kinds: ["held", "echo"] }
    ]
  }))
