import { it } from "vitest"
import { holds } from "./scenario.js"

// The request fiber waited for ever for the end of its response: Node keeps that callback on the stream, which was gone.
it("HTTP/2: a client that resets its connection as its handler answers leaves no request fiber behind", () =>
  holds({
    main: "app over h2",
    steps: [
      { _tag: "Connect", listener: 0, halfOpen: false },
      [{ _tag: "Request", client: 0, kind: "held", head: false, part: 1 }, "turn"],
      [{ _tag: "Reset", client: 0 }, "none"],
      [{ _tag: "Finish", handler: 0, how: "answer" }, "none"]
    ]
  }))
