import { it } from "vitest"
import { holds } from "./scenario.js"

// The stream is ended by its interruption while it waits for its turn, and takes the connection with it only then.
it("a stream that is cut before its turn leaves what its client gets before it as it is", async () => {
  await holds({
    policy: { timeout: 8000, killTimeout: 1000, idleGrace: "keepAliveTimeout", newConnectionGrace: 5000 },
    finale: "wait",
    steps: [
      { _tag: "Connect", listener: 0, halfOpen: false },
      { _tag: "Pipeline", client: 0, kinds: ["dogged", "stream", "deaf", "masked"] },
      { _tag: "Request", client: 0, kind: "deaf", head: false, part: 1 }
    ]
  })
  await holds({
    policy: { lameDuck: 1, killTimeout: 0, poll: "never" },
    finale: "close",
    steps: [
      { _tag: "Connect", listener: 0, halfOpen: false },
      { _tag: "Connect", listener: 0, halfOpen: false },
      { _tag: "Pipeline", client: 1, kinds: ["held", "quick", "stream"] },
      { _tag: "HalfClose", client: 0 }
    ]
  })
})
