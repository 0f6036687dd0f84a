import { it } from "vitest"
import { holds } from "./scenario.js"

// It had come to half of its request, and was closed in the moment in which the shutdown began: what it then sent was an
// error, and it read no answer.
it("a client that is in the middle of a request that has been answered reads its answer", () =>
  holds({
    policy: { idleGrace: 0, newConnectionGrace: 0, killTimeout: 200, timeout: 30_000 },
    listeners: ["unix plain"],
    steps: [
      { _tag: "Connect", listener: 1, halfOpen: false },
      [{ _tag: "StopReading", client: 0 }, "none"],
      { _tag: "Request", client: 0, kind: "deaf", head: false, part: 77 },
      { _tag: "Shutdown", how: "call" },
      { _tag: "Rest", client: 0, part: 100 },
      { _tag: "Advance", millis: 0 }
    ]
  }))
