// It waits for 20 s at the most (`gracefulShutdownTimeout`).
import type { Expected } from "./expected.js"

// Node 26 takes a connection that has never sent a byte for an idle one, and so its `close` closes it
const closesSilent = Number(process.versions.node.split(".")[0]) >= 26

export const expected: ReadonlyArray<Expected> = [
  ["answers a running request that uses the pool", "slow", "kept", /^answered 200/],
  ["resets idle connections whose next request is on its way", "idle-20ms", "lost", /^\d+ of 16 lost their request/],
  // with a FIN, or with an RST where a request has arrived. Who has lost its connection opens another one, and may lose
  // that as well until the socket that listens has closed
  [
    "cuts every busy keep-alive client",
    "busy",
    "lost",
    /^([89]|[1-9]\d+) requests of 8 clients lost: no answer: the connection was (reset|closed)$/
  ],
  ["answers the next request of a keep-alive client whose request was running", "next-request", "kept", /./],
  ["truncates a 50 MiB response to a slow reader", "big", "lost", /^of 50\.0 MiB: 200, cut after \d+ bytes/],
  ["answers a request whose head was half there", "half-head", "kept", /^answered 200/],
  ["answers a request whose body was half there", "half-body", "kept", /^answered 200/],
  ["answers a request that waited for 100 Continue", "expect-continue", "kept", /^answered 200/],
  [
    "waits for a connection that has never sent a byte",
    "never-sends",
    closesSilent ? "kept" : "lost",
    closesSilent ? /^exit code/ : /^still running/
  ],
  ["does not exit while a connection has sent half a request head", "never-ends-head", "lost", /^still running/],
  ["does not exit while a stream does not end", "stream", "lost", /^still running/],
  ["does not tell a WebSocket to leave", "websocket", "lost", /^no close frame/],
  ["does not exit while a WebSocket stays", "websocket-ignores", "lost", /^still running/]
]

export const requestOfWhoLeft = { title: "ends the request", scopesOpen: 0 }
