import { it } from "vitest"
import { holds } from "./scenario.js"

// Only requests, and upgrades of an Effect app, were held against the deadline.
it("an upgrade of a server's own that arrives after the deadline is refused, and not executed", () =>
  holds({
    policy: { timeout: 0, idleGrace: 0, newConnectionGrace: 200, poll: "never" },
    main: "plain",
    steps: [
      { _tag: "Connect", listener: 0, halfOpen: false },
      { _tag: "Request", client: 0, kind: "deaf", head: true, part: 1 },
      { _tag: "Connect", listener: 0, halfOpen: false },
      [{ _tag: "Rest", client: 0, part: 100 }, "turn"],
      { _tag: "Shutdown", how: "call" },
      { _tag: "Upgrade", client: 0, to: "websocket", polite: false },
      [{ _tag: "HalfClose", client: 0 }, "turn"]
    ]
  }))
