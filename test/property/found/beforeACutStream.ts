import { it } from "vitest"
import { holds } from "./scenario.js"

// The stream took the connection away in the turn in which the kernel got the answer before it.
it("an answer that has left just before a stream is cut counts as served", () =>
  holds({
    policy: { killTimeout: 0, newConnectionGrace: 200, poll: "never" },
    finale: "wait",
    steps: [
      { _tag: "Connect", listener: 0, halfOpen: false },
      { _tag: "Shutdown", how: "call" },
      { _tag: "Pipeline", client: 0, kinds: ["held", "echo", "stream"] },
      [{ _tag: "Advance", millis: 0 }, "turn"]
    ]
  }))
