import { it } from "vitest"
import { holds } from "./scenario.js"

// The connection goes with the stream, and what was pipelined behind it passed for left by its client.
it("requests that are pipelined behind a stream are reported, if the deadline cuts it", () =>
  holds({
    finale: "wait",
    steps: [
      { _tag: "Connect", listener: 0, halfOpen: false },
      { _tag: "Pipeline", client: 0, kinds: ["stream", "held", "quick"] },
      { _tag: "Finish", handler: 0, how: "piece" }
    ]
  }))

it("one that has answered 503 in the same turn is reported so", () =>
  holds({
    finale: "wait",
    steps: [
      { _tag: "Connect", listener: 0, halfOpen: false },
      { _tag: "Pipeline", client: 0, kinds: ["held", "stream", "masked"] }
    ]
  }))
