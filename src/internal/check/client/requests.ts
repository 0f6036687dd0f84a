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

const body = "quiesce=check&a=1"

/** A request in two pieces; the first ends within the body. */
export const halfBody = (path: string, more = ""): readonly [string, string] => [
  postHead(path, more) + body.slice(0, 8),
  body.slice(8)
]

/** A request whose body waits for `100 Continue`: its head, and its body. */
export const expectContinue = (path: string): readonly [string, string] => [
  postHead(path, "Expect: 100-continue\r\n"),
  body
]

const postHead = (path: string, more: string): string =>
  head(
    "POST",
    path,
    `Accept: */*\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: ${body.length}\r\n${more}`
  )

export const webSocketHandshake = (path: string): string =>
  head(
    "GET",
    path,
    "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
      + "Sec-WebSocket-Key: cXVpZXNjZSBjaGVjayAxMg==\r\n"
  )
