import { it } from "vitest"
import { holds } from "./scenario.js"

// Node stops reading while so many answers wait; what it had not read was not owed anything, and the last that it had
// read said `Connection: close`.
it("a pipelined request that Node has not read yet, as it has enough to write, is answered", () =>
  holds({
    policy: { lameDuck: 2000, timeout: 30_000 },
    steps: [
      { _tag: "Connect", listener: 0, halfOpen: false },
      { _tag: "Request", client: 0, kind: "dogged", head: true, part: 100 },
      { _tag: "Request", client: 0, kind: "big", head: false, part: 1 },
      { _tag: "Rest", client: 0, part: 100 },
      { _tag: "Request", client: 0, kind: "held", head: false, part: 100 },
      { _tag: "Request", client: 0, kind: "quick", head: false, part: 100 }
    ]
  }))
