import { it } from "vitest"
import { holds } from "./scenario.js"

// The fault was the client's: told to read some twice before anything came, it stopped once more after it was to read on.
it("a client that reads some twice, and then on, has its answer, and the drain ends", () =>
  holds({
    policy: { newConnectionGrace: 200 },
    steps: [
      [{ _tag: "Connect", listener: 0, halfOpen: false }, "turn"],
      { _tag: "Pipeline", client: 0, kinds: ["held", "quick", "big"] },
      { _tag: "StopReading", client: 0 },
      { _tag: "ReadSome", client: 0 },
      [{ _tag: "ReadSome", client: 0 }, "none"]
    ]
  }))
