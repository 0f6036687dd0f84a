import { once } from "node:events"
import * as Http from "node:http"
import { describe, expect, it } from "vitest"
import { quiesce } from "../../../src/promise.js"
import { describeUnless } from "../../support/describeWith.js"
import { noIpv6 } from "../../support/ipv6.js"
import { portOf } from "../../support/nodeServer.js"
import { connect } from "../../support/rawClient.js"
import { limit } from "../../support/running.js"
import { waitFor } from "../../support/wait.js"

// A peer has the name that its own machine gives it, also where one socket listens for both families.

/** Cuts a request that is never answered, and returns how its client is called everywhere. */
const peerOf = async (listen: string, from: string, host: string) => {
  const lines: Array<string> = []
  let reached = false
  const node = Http.createServer(() => {
    reached = true
  })
  await once(node.listen(0, listen), "listening")
  const server = quiesce(node, { timeout: 50, killTimeout: 10, logger: (_, line) => void lines.push(line) })
  const client = await connect({ host, port: portOf(node) })
  const expected = `${from}:${String(client.socket.localPort)}`
  await client.write("GET / HTTP/1.1\r\nHost: test\r\n\r\n")
  await waitFor("the request", () => reached, limit)
  const [connection] = server.connections()
  const { cut } = await server.shutdown()
  client.leave()
  expect(lines.join("\n")).toContain(`from ${expected} `)
  expect(lines.join("\n")).not.toContain("ffff")
  return { names: [connection?.remoteAddress, cut[0]?.remoteAddress], expected: [expected, expected] }
}

describe("the name of a peer", () => {
  it("over IPv4", async () => {
    const { expected, names } = await peerOf("127.0.0.1", "127.0.0.1", "127.0.0.1")
    expect(names).toEqual(expected)
  })

  describeUnless(noIpv6, "on a socket for both", () => {
    it("over IPv4", async () => {
      const { expected, names } = await peerOf("::", "127.0.0.1", "127.0.0.1")
      expect(names).toEqual(expected)
    })

    it("over IPv6", async () => {
      const { expected, names } = await peerOf("::", "[::1]", "::1")
      expect(names).toEqual(expected)
    })
  })
})
