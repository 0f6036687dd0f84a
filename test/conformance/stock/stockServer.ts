/**
 * What stock `@effect/platform-node` does when SIGTERM comes, where it is not the same on both lines of Effect.
 */
import type { Expected } from "./expected.js"

// Node 26 takes a connection that has never sent a byte for an idle one, and so its `close` closes it
const closesSilent = Number(process.versions.node.split(".")[0]) >= 26

export const expected: ReadonlyArray<Expected> = [
  ["closes the pool under a running request", "slow", "lost", /^answered 500$/],
  ["resets idle connections whose next request is on its way", "idle-20ms", "lost", /^\d+ of 16 lost their request/],
  // with a FIN, or with an RST where a request has arrived. Who has lost its connection opens another one, and may lose
  // that as well until the socket that listens has closed
  [
    "cuts every busy keep-alive client",
    "busy",
    "lost",
    /^([89]|[1-9]\d+) requests of 8 clients lost: no answer: the connection was (reset|closed)$/
  ],
  ["resets most connections that are being opened", "connection-per-request", "lost", /requests lost/],
  ["answers nobody who waits in the queue", "queue", "lost", /^\d+ of 32 lost/],
  ["does not say that it will close", "says-close", "lost", /is not told/],
  ["never answers the next request of a keep-alive client", "next-request", "lost", /stayed open$/],
  ["never answers the first request of a new connection", "first-request", "lost", /^no answer/],
  ["truncates a 50 MiB response to a slow reader", "big", "lost", /^of 50\.0 MiB: 200, cut after \d+ bytes/],
  ["never answers what is pipelined behind an answer", "pipelined", "lost", /^without close, no answer/],
  ["never answers a request whose head was half there", "half-head", "lost", /^no answer/],
  ["answers a request whose body was half there", "half-body", "kept", /^answered 200$/],
  ["answers a request that waited for 100 Continue", "expect-continue", "kept", /^answered 200$/],
  [
    "waits for a connection that has never sent a byte",
    "never-sends",
    closesSilent ? "kept" : "lost",
    closesSilent ? /^exit code/ : /^still running/
  ],
  ["never exits while a connection has sent half a request head", "never-ends-head", "lost", /^still running/],
  ["never exits while a connection has sent half a request body", "never-ends-body", "lost", /^still running/],
  ["never exits while a stream does not end", "stream", "lost", /^still running/],
  ["closes a WebSocket without saying why", "websocket", "lost", /^a close frame without a code/],
  // 30.0 s, measured once
  ["waits for a WebSocket whose peer ignores the close frame", "websocket-ignores", "lost", /^still running/]
]

/** Of a client that left before an uninterruptible handler answered. */
export const requestOfWhoLeft = { title: "leaks the request fiber", scopesOpen: 1 }
