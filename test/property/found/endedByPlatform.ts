import { it } from "vitest"
import { holds } from "./scenario.js"

// Effect 4 ends a connection itself where the rest of a body is not read, and nobody was watching over it.
it("a connection that the platform has ended after its last answer is closed as others are", () =>
  holds({
    policy: { timeout: 30_000, poll: "never" },
    steps: [
      [{ _tag: "Connect", listener: 0, halfOpen: true }, "turn"],
      { _tag: "Shutdown", how: "call" },
      [{ _tag: "Request", client: 0, kind: "deaf", head: true, part: 77 }, "turn"],
      [{ _tag: "DrainNow" }, "none"]
    ]
  }))
