import { type ChildProcess, fork } from "node:child_process"
import { once } from "node:events"
import * as Http from "node:http"
import * as Net from "node:net"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { quiesce } from "../../../src/promise.js"
import { nodeArgs } from "../../support/bundle.js"
import { startLimit, withChild } from "../../support/child.js"
import { listenOnLoopback, portOf } from "../../support/nodeServer.js"
import { connect } from "../../support/rawClient.js"
import { limit } from "../../support/running.js"
import { waitFor } from "../../support/wait.js"

// Pins internal/node: hasNoHandle, setupWorker, socketSetTimeout

// A socket that was sent to another process is no connection of this one, from then on.

let child: ChildProcess
beforeAll(async () => {
  const args = nodeArgs(new URL("fixtures/taking.ts", import.meta.url))
  child = fork(args.at(-1)!, { execArgv: args.slice(0, -1) })
  await waitFor("the other process", once(child, "message"), startLimit)
}, startLimit)
afterAll(() => void child.kill("SIGKILL"))

const taken = async (node: Net.Server) => {
  await listenOnLoopback(node)
  return quiesce(node, { logger: false, timeout: 3000, killTimeout: 100 })
}

const get = "GET / HTTP/1.1\r\nHost: test\r\n\r\n"

/** The servers that send their sockets, and when. */
const senders: ReadonlyArray<readonly [name: string, make: (options?: { readonly keepOpen: boolean }) => Net.Server]> =
  [
    [
      "a server that accepts them paused",
      (options = { keepOpen: false }) =>
        Net.createServer({ pauseOnConnect: true }, (socket) => void child.send({}, socket, options))
    ],
    [
      "an HTTP server that reads the first bytes",
      (options = { keepOpen: false }) =>
        Http.createServer().removeAllListeners("connection").on("connection", (socket: Net.Socket) => {
          socket.once("data", (data) => void child.send({ first: data.toString("latin1") }, socket, options))
        })
    ],
    ["an HTTP server that has read the request", (options = { keepOpen: false }) =>
      Http.createServer((request) => {
        child.send({ first: `GET ${request.url ?? ""} HTTP/1.1\r\nHost: test\r\n\r\n` }, request.socket, options)
      })]
  ]

describe.each(senders)("%s", (_, make) => {
  it("keeps none of them among its connections, and waits for none", async () => {
    const node = make()
    const server = await taken(node)
    const clients = await Promise.all([1, 2, 3].map(() => connect({ port: portOf(node) })))
    for (const client of clients) {
      await client.write(get)
      expect((await client.untilResponses(1, limit)).responses[0]).toMatchObject({ status: 200 })
      expect(client.text()).toContain(`from ${child.pid}`)
    }
    expect(server.connections()).toEqual([])
    const report = await server.shutdown()
    expect(report).toMatchObject({ outcome: "Drained", cut: [], connections: { open: 0, idleClosed: 0 } })
    // they are the other's, and go on
    await clients[0]?.write(get)
    await clients[0]?.untilResponses(2, limit)
    for (const client of clients) client.leave()
  })

  it("sends them while it drains", async () => {
    const node = make()
    const server = await taken(node)
    const accepted = once(node, "connection")
    const client = await connect({ port: portOf(node) })
    await client.write(get.slice(0, 10))
    await waitFor("the connection", accepted, limit)
    const shutdown = server.shutdown()
    await client.write(get.slice(10))
    await client.untilResponses(1, limit)
    expect(await shutdown).toMatchObject({ outcome: "Drained", cut: [] })
    client.leave()
  })
})

it("one whose handle was taken by hand is none either", async () => {
  let socket: Net.Socket | undefined
  const node = Net.createServer({ pauseOnConnect: true }, (accepted) => {
    socket = accepted
  })
  const server = await taken(node)
  const client = await connect({ port: portOf(node) })
  await waitFor("the connection", () => socket !== undefined, limit)
  expect(server.connections()).toHaveLength(1)
  const hand = socket as unknown as { _handle: { readonly close: () => void } | null }
  const handle = hand._handle
  hand._handle = null
  expect(server.connections()).toEqual([])
  expect(await server.shutdown()).toMatchObject({ outcome: "Drained", connections: { open: 0 } })
  handle?.close()
  client.leave()
})

it("one that is kept open as well stays a connection", async () => {
  const sockets: Array<Net.Socket> = []
  const node = Net.createServer({ pauseOnConnect: true }, (socket) => {
    sockets.push(socket)
    child.send({}, socket, { keepOpen: true })
  })
  const server = await taken(node)
  const client = await connect({ port: portOf(node) })
  await client.write(get)
  await client.untilResponses(1, limit)
  expect(server.connections()).toMatchObject([{ state: "Hijacked", protocol: "tcp" }])
  for (const socket of sockets) socket.destroy()
  expect(await server.shutdown()).toMatchObject({ outcome: "Drained" })
  client.leave()
})

it("nothing is kept of those that were sent", { timeout: 2 * startLimit }, async () => {
  const fixture = new URL("fixtures/sending.ts", import.meta.url)
  await withChild(fixture, [], async (sender) => {
    expect(await sender.line("sent", startLimit)).toMatchObject({ sent: 20, kept: 0, connections: 0 })
    expect(await sender.exit(startLimit)).toMatchObject({ code: 0 })
  }, { execArgv: ["--expose-gc"] })
})
