import { it } from "vitest"
import type { Command } from "../history.js"
import { holds } from "./scenario.js"

// Its body is left out. The end of another stream sends all there is, and Node waited for ever for the end of the request.
const answered = [
  { _tag: "Connect", listener: 7, halfOpen: false },
  [{ _tag: "Request", client: 0, kind: "stream", head: false, part: 100 }, "turn"],
  [{ _tag: "Request", client: 0, kind: "held", head: true, part: 100 }, "none"],
  { _tag: "Finish", handler: 0, how: "piece" },
  [{ _tag: "Finish", handler: 1, how: "answer" }, "none"],
  [{ _tag: "Finish", handler: 0, how: "fail" }, "turn"]
] as const
const shutdown: Command = { _tag: "Shutdown", how: "call" }

for (const timeout of [50, 8000]) {
  it(`HTTP/2: HEAD that is answered as another stream of its session fails is over, with ${timeout} ms to drain`, () =>
    holds({
      listeners: ["h2 plain"],
      policy: { timeout, idleGrace: 0 },
      steps: [...answered, [shutdown, "none"]]
    }))
}

it("HTTP/2: HEAD that is answered as another stream of its session fails is not cut by the end of the scope", () =>
  holds({ listeners: ["h2 plain"], steps: answered }))
