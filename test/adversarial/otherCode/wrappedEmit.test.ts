import { once } from "node:events"
import * as Http from "node:http"
import * as Net from "node:net"
import { expect, it } from "vitest"
import { quiesce } from "../../../src/promise.js"
import { connect } from "../../support/rawClient.js"
import { limit } from "../../support/running.js"

// Pins internal/node: inheritedEmit

// Instrumentation wraps the `emit` that all servers inherit, at any time: also between two servers of ours.

const served = async () => {
  const node = Http.createServer((_, response) => response.end("done"))
  await once(node.listen(0, "127.0.0.1"), "listening")
  const { port } = node.address() as Net.AddressInfo
  return { port, server: quiesce(node, { logger: false }) }
}

const ask = async (port: number) => {
  const client = await connect({ port })
  await client.write("GET / HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n")
  const { responses } = await client.untilResponses(1, limit)
  client.leave()
  return responses[0]?.status
}

it("an inherited emit that others have wrapped tells of each connection once", async () => {
  const { prototype } = Net.Server
  const before = Object.getOwnPropertyDescriptor(prototype, "emit")
  let connections = 0
  try {
    const first = await served()
    const below = prototype.emit
    prototype.emit = function(this: Net.Server, ...args: ReadonlyArray<unknown>): boolean {
      if (args[0] === "connection") connections++
      return Reflect.apply(below, this, args)
    }
    const second = await served()
    expect(await ask(second.port)).toBe(200)
    expect(await ask(first.port)).toBe(200)
    await Promise.all([first.server.shutdown(), second.server.shutdown()])
    // none was there for a while, and ours stands below theirs
    const third = await served()
    expect(await ask(third.port)).toBe(200)
    expect(await third.server.shutdown()).toMatchObject({ outcome: "Drained" })
    expect(connections).toBe(2)
  } finally {
    if (before === undefined) Reflect.deleteProperty(prototype, "emit")
    else Object.defineProperty(prototype, "emit", before)
  }
})
