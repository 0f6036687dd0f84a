import { once } from "node:events"
import * as Net from "node:net"
import { expect, it } from "vitest"
import { type Child, startLimit, withChild } from "../../support/child.js"
import { limit } from "../../support/running.js"
import { waitFor } from "../../support/wait.js"

// What an idle connection takes of the heap on our account: no list, no listener, and no object for a time.

const connections = 1000

type Kind = "node:http" | "quiesce"

const used = async (port: number): Promise<Net.Socket> => {
  const socket = Net.connect(port, "127.0.0.1")
  socket.write("GET / HTTP/1.1\r\nHost: test\r\n\r\n")
  await once(socket, "data")
  return socket
}

/** Connections that are idle, each after its first answer. */
const open = async (port: number): Promise<ReadonlyArray<Net.Socket>> => {
  const sockets: Array<Net.Socket> = []
  while (sockets.length < connections) {
    const more = Promise.all(Array.from({ length: 50 }, () => used(port)))
    sockets.push(...await waitFor("the answers", more, limit))
  }
  return sockets
}

const close = (sockets: ReadonlyArray<Net.Socket>) =>
  waitFor("the end of all", Promise.all(sockets.map((socket) => once(socket.end(), "close"))), limit)

/** What it holds with so many connections. */
const heapOf = async (child: Child, expected: number): Promise<number> => {
  const asked = child.linesOf("heap").length
  child.write("heap\n")
  const { bytes, connections } = await child.line("heap", limit, asked + 1)
  expect(connections).toBe(expected)
  return Number(bytes)
}

/** The median of so many measurements: one is up to 20 bytes more or less. */
const rounds = 3

const bytesOf = (kind: Kind): Promise<number> =>
  withChild(new URL("./fixtures/connectionHeap.ts", import.meta.url), [kind], async (child) => {
    const target = await child.listening(startLimit)
    if (!("port" in target)) throw new Error("it listens on no port")
    // what is compiled and cached on the way is no connection's
    await close(await open(target.port))
    const measured: Array<number> = []
    while (measured.length < rounds) {
      const before = await heapOf(child, 0)
      const sockets = await open(target.port)
      measured.push((await heapOf(child, connections) - before) / connections)
      await close(sockets)
    }
    return measured.toSorted((a, b) => a - b)[Math.floor(rounds / 2)]!
  })

it("an idle connection takes 300 bytes more of the heap than with node:http alone, at the most", async () => {
  const [bare, ours] = [await bytesOf("node:http"), await bytesOf("quiesce")]
  // what is measured is there to be measured
  expect(bare).toBeGreaterThan(1000)
  expect(ours - bare).toBeGreaterThan(100)
  expect(ours - bare).toBeLessThanOrEqual(300)
})
