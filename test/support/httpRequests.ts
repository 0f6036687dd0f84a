/** Requests of HTTP/1.1, as text. */

export const get = (path: string, ...headers: ReadonlyArray<string>): string =>
  [`GET ${path} HTTP/1.1`, "Host: localhost", ...headers, "", ""].join("\r\n")

export const post = (path: string, body: string, ...headers: ReadonlyArray<string>): string =>
  [`POST ${path} HTTP/1.1`, "Host: localhost", `Content-Length: ${body.length}`, ...headers, "", body].join("\r\n")

/** `GET /0`, `GET /1`, … in one piece. */
export const pipelinedGets = (count: number, from = 0): string =>
  Array.from({ length: count }, (_, n) => `GET /${from + n} HTTP/1.1\r\nHost: a\r\n\r\n`).join("")

/** What a client sends to speak WebSocket, besides the request line and its `Host`. */
export const webSocketHeaders: ReadonlyArray<string> = [
  "Connection: Upgrade",
  "Upgrade: websocket",
  "Sec-WebSocket-Version: 13",
  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="
]

export const webSocketHandshake = (path: string): string => get(path, ...webSocketHeaders)
