import { it } from "vitest"
import { holds } from "./scenario.js"

// A session that is leaving is destroyed with its last stream: that this one had failed was taken for the work of other
// code, and the outcome was Cut.
for (const how of ["fail", "die"] as const) {
  it(`HTTP/2: a stream whose handler ${how}s in a drain is no request that was cut`, () =>
    holds({
      listeners: ["h2 plain"],
      steps: [
        { _tag: "Connect", listener: 1, halfOpen: false },
        [{ _tag: "Request", client: 0, kind: "stream", head: false, part: 100 }, "turn"],
        { _tag: "Shutdown", how: "call" },
        { _tag: "Finish", handler: 0, how }
      ]
    }))
}
