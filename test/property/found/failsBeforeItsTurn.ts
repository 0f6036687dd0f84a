import { it } from "vitest"
import { holds } from "./scenario.js"

// Since Node 24 the connection goes on when the turn of a response comes that has been destroyed, and nothing behind it
// is ever sent: the drain waited for that until its deadline.
it("a request that is behind one that has failed before its turn holds up no drain", () =>
  holds({
    main: "plain",
    policy: { killTimeout: 0, idleGrace: 0 },
    steps: [
      { _tag: "Connect", listener: 0, halfOpen: false },
      { _tag: "Request", client: 0, kind: "stream", head: false, part: 100 },
      { _tag: "Request", client: 0, kind: "stream", head: true, part: 100 },
      { _tag: "Finish", handler: 1, how: "fail" },
      { _tag: "Request", client: 0, kind: "masked", head: false, part: 1 }
    ]
  }))

it("nor does one that was pipelined with it", () =>
  holds({
    policy: { idleGrace: 0, newConnectionGrace: 5000 },
    listeners: ["unix plain", "tcp app"],
    steps: [
      [{ _tag: "Connect", listener: 1, halfOpen: false }, "none"],
      { _tag: "Pipeline", client: 0, kinds: ["dogged", "stream", "quick", "quick"] },
      { _tag: "Finish", handler: 1, how: "fail" },
      { _tag: "Request", client: 0, kind: "dogged", head: false, part: 100 }
    ]
  }))

it("nor one that comes as it fails, in a lame duck", () =>
  holds({
    main: "plain",
    policy: { lameDuck: 2000, timeout: 30_000, idleGrace: 50, newConnectionGrace: 200 },
    throwingObserver: true,
    steps: [
      { _tag: "Connect", listener: 0, halfOpen: false },
      [{ _tag: "Request", client: 0, kind: "stream", head: false, part: 100 }, "turn"],
      [{ _tag: "Pipeline", client: 0, kinds: ["stream", "quick", "dogged"] }, "turn"],
      [{ _tag: "Finish", handler: 1, how: "fail" }, "none"],
      [{ _tag: "Advance", millis: 0 }, "none"]
    ]
  }))

for (const gap of ["none", "turn"] as const) {
  it(`nor one that is behind it when its turn comes as it fails (${gap})`, () =>
    holds({
      steps: [
        [{ _tag: "Connect", listener: 0, halfOpen: false }, "none"],
        [{ _tag: "Pipeline", client: 0, kinds: ["held", "stream"] }, "none"],
        { _tag: "Request", client: 0, kind: "held", head: false, part: 100 },
        [{ _tag: "Finish", handler: 0, how: "answer" }, gap],
        { _tag: "Finish", handler: 0, how: "fail" }
      ]
    }))
}
