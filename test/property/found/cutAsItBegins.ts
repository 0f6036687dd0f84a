import { it } from "vitest"
import { holds } from "./scenario.js"

// Pins internal/node: isHeadWaiting

// What a handler writes waits in Node until the end of the turn.
for (const finale of ["wait", "close"] as const) {
  it(`a response that begins in the turn in which it is cut is reported as its client has got it (${finale})`, async () => {
    await holds({
      policy: { lameDuck: 2000, timeout: 8000, killTimeout: 1000, idleGrace: 0, newConnectionGrace: 5000 },
      finale,
      steps: [
        { _tag: "Connect", listener: 0, halfOpen: false },
        { _tag: "Request", client: 0, kind: "stream", head: false, part: 100 },
        [{ _tag: "Finish", handler: 0, how: "piece" }, "none"],
        { _tag: "Close" },
        { _tag: "Connect", listener: 0, halfOpen: false }
      ]
    })
  })
}
