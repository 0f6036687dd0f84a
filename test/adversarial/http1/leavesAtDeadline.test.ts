import { once } from "node:events"
import * as Http from "node:http"
import * as Net from "node:net"
import { expect, it } from "vitest"
import { quiesce } from "../../../src/promise.js"
import { listenOnLoopback, portOf } from "../../support/nodeServer.js"

// At the deadline the rest of what a client has sent is read, so that no reset takes back what it is owed. What is being
// written goes on leaving meanwhile: how much of it, is the kernel's own affair.

const limit = 10_000

const get = (path: string) => `GET ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`

const turn = () => new Promise<void>((resolve) => setImmediate(resolve))

/** Writes more than the kernel takes, by so much, and ends. */
const writeMore = async (response: Http.ServerResponse, bytes: number): Promise<void> => {
  response.writeHead(200, { "transfer-encoding": "chunked" })
  while ((response.socket?.writableLength ?? 0) === 0) {
    response.write(Buffer.alloc(65_536))
    for (let turns = 0; turns < 4; turns++) await turn()
  }
  response.end(Buffer.alloc(bytes))
}

/** Looks in each turn of the event loop. */
const untilTurn = async (what: string, is: () => boolean): Promise<void> => {
  for (const end = Date.now() + limit; !is();) {
    if (Date.now() > end) throw new Error(`${what} did not come`)
    await turn()
  }
}

const round = async () => {
  let socket: Net.Socket | undefined
  let failing: Http.ServerResponse | undefined
  const node = await listenOnLoopback(Http.createServer((request, response) => {
    socket = request.socket
    if (request.url === "/big") void writeMore(response, 262_144)
    else failing ??= response
  }))
  const server = quiesce(node, { timeout: 300, killTimeout: 100, logger: false })
  const client = Net.connect({ port: portOf(node), host: "127.0.0.1" }).on("error", () => {})
  await once(client, "connect")
  let end = ""
  client.on("data", (data) => {
    end = data.toString("latin1", Math.max(0, data.length - 5))
  }).pause()
  client.write(get("/big") + get("/fails"))
  await untilTurn("the large answer", () => (socket?.writableLength ?? 0) > 262_144)
  client.write(get("/unread"))
  // it takes the connection with it when its turn has come, which is as the large answer has left
  failing?.destroy()
  const closed = once(client, "close")
  const ended = server.shutdown()
  // its writes are dropped: the deadline is over, and the rest of what has come is read
  await untilTurn("the deadline", () => socket !== undefined && Object.hasOwn(socket, "write"))
  client.resume()
  const report = await ended
  await closed
  return { isWhole: end === "0\r\n\r\n", isReported: report.cut.some(({ path }) => path === "/big") }
}

it("a large answer that leaves while the rest of its connection is read is reported as what its client got", async () => {
  let whole = 0
  for (let n = 0; n < 10; n++) {
    const { isReported, isWhole } = await round()
    expect(isReported).toBe(!isWhole)
    if (isWhole) whole++
  }
  expect(whole).toBeGreaterThan(0)
})
