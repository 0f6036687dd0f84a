import { it } from "vitest"
import { holds } from "./scenario.js"

// Node had just ended its pause, as a response before it had left, and had read nothing yet: the last one that it had
// read said `Connection: close`.
it("a pipelined request that Node has not read yet, as it reads on in this turn, is answered", () =>
  holds({
    policy: { newConnectionGrace: 200, timeout: Number.POSITIVE_INFINITY },
    steps: [
      [{ _tag: "Connect", listener: 0, halfOpen: false }, "turn"],
      [{ _tag: "StopReading", client: 0 }, "turn"],
      [{ _tag: "Request", client: 0, kind: "big", head: false, part: 100 }, "turn"],
      { _tag: "Pipeline", client: 0, kinds: ["held", "stream", "dogged"] },
      { _tag: "Request", client: 0, kind: "masked", head: true, part: 1 },
      { _tag: "Rest", client: 0, part: 100 }
    ]
  }))
