import { it } from "vitest"
import { holds } from "./scenario.js"

// Pins internal/node: isWritten

// The kernel had all of it, and Node had not heard of that. How much the kernel takes is its own affair.
it("an answer that the kernel has taken just before it is cut is not reported as truncated", async () => {
  for (let n = 0; n < 10; n++) {
    await holds({
      policy: { idleGrace: "keepAliveTimeout" },
      finale: "close",
      steps: [
        [{ _tag: "Connect", listener: 0, halfOpen: false }, "turn"],
        [{ _tag: "Request", client: 0, kind: "big", head: false, part: 100 }, "turn"],
        [{ _tag: "CloseListener", listener: 0 }, "turn"],
        [{ _tag: "ResetStream", client: 0, stream: 0 }, "turn"],
        { _tag: "Close" }
      ]
    })
  }
})
