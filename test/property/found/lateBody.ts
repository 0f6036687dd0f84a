import { it } from "vitest"
import { holds } from "./scenario.js"

// Its idle time had been counted from the answer on, which had come long before the end of the request.
it("a connection whose request ends after its answer has its grace from that end on", () =>
  holds({
    policy: { idleGrace: 3000 },
    finale: "wait",
    steps: [
      { _tag: "Connect", listener: 0, halfOpen: false },
      [{ _tag: "Request", client: 0, kind: "deaf", head: false, part: 77 }, "turn"],
      [{ _tag: "Advance", millis: 10_000 }, "turn"],
      { _tag: "Rest", client: 0, part: 100 }
    ]
  }))
