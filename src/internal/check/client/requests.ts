/**
 * What clients send.
 */

const head = (method: string, path: string, more: string) =>
  `${method} ${path} HTTP/1.1\r\nHost: localhost\r\nUser-Agent: quiesce-check\r\n${more}\r\n`

export const get = (path: string): string => head("GET", path, "Accept: */*\r\n")

/** The client asks for the connection to be closed after the answer. */
export const getOnce = (path: string): string => head("GET", path, "Accept: */*\r\nConnection: close\r\n")

/** A request in two pieces; the first ends within the head. */
export const halfHead = (path: string): readonly [string, string] => {
  const whole = get(path)
  const at = whole.indexOf("User-Agent") + 7
  return [whole.slice(0, at), whole.slice(at)]
}

/** A body, and where it is cut in two. */
export interface Body {
  readonly type: string
  readonly text: string
}

/** A server reads the bodies that it knows: which one is found out. */
export const bodies: readonly [Body, ...ReadonlyArray<Body>] = [
  { type: "application/json", text: `{"quiesce":"check"}` },
  { type: "application/x-www-form-urlencoded", text: "quiesce=check&a=1" },
  { type: "text/plain", text: "quiesce check" }
]

const cutAt = 8

/** A request in two pieces; the first ends within the body. */
export const halfBody = (path: string, body: Body): readonly [string, string] => [
  postHead(path, body) + body.text.slice(0, cutAt),
  body.text.slice(cutAt)
]

/** A request whose body waits for `100 Continue`: its head, and its body. */
export const expectContinue = (path: string, body: Body): readonly [string, string] => [
  postHead(path, body, "Expect: 100-continue\r\n"),
  body.text
]

const postHead = (path: string, { text, type }: Body, more = ""): string =>
  head("POST", path, `Accept: */*\r\nContent-Type: ${type}\r\nContent-Length: ${text.length}\r\n${more}`)

export const webSocketHandshake = (path: string): string =>
  head(
    "GET",
    path,
    "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
      + "Sec-WebSocket-Key: cXVpZXNjZSBjaGVjayAxMg==\r\n"
  )
