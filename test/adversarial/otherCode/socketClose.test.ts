import { once } from "node:events"
import * as Http from "node:http"
import * as Net from "node:net"
import { expect, it } from "vitest"
import { quiesce } from "../../../src/promise.js"
import { listenOnLoopback, portOf } from "../../support/nodeServer.js"
import { connect, type RawClient } from "../../support/rawClient.js"
import { get, limit } from "../../support/running.js"
import { waitFor } from "../../support/wait.js"

// Pins internal/node: hasSaidClosed, socketClose

// That a connection has closed is known without a listener on its socket, whatever other code does with that.

interface Open {
  readonly client: RawClient
  readonly socket: Net.Socket
}

const ignore = () => {}

/** A server, and what it is told of its connections. */
const served = async (adopt: "before" | "after", prepare: (socket: Net.Socket) => void) => {
  const node = Http.createServer((_, response) => response.end("done"))
  let open: Promise<Open> | undefined
  const opened = async (): Promise<Open> => {
    const accepted = once(node, "connection")
    const client = await connect({ port: portOf(node) })
    const socket = (await accepted)[0] as Net.Socket
    prepare(socket.on("error", ignore))
    await client.write(get("/"))
    await client.untilResponses(1, limit)
    return { client, socket }
  }
  await listenOnLoopback(node)
  if (adopt === "after") open = opened()
  await open
  const server = quiesce(node, { logger: false })
  return { ...await (open ?? opened()), node, server }
}

const ends: ReadonlyArray<readonly [string, (open: Open) => void]> = [
  ["its client leaves", ({ client }) => client.leave()],
  ["other code destroys it", ({ socket }) => void socket.destroy()],
  ["other code destroys it with an error", ({ socket }) => void socket.destroy(new Error("go away"))],
  ["other code resets it", ({ socket }) => void socket.resetAndDestroy()],
  ["other code ends it", ({ client, socket }) => socket.end(() => client.leave())]
]

const wrapDestroy = (socket: Net.Socket) => {
  const { _destroy: destroy } = socket
  socket._destroy = (...args) => Reflect.apply(destroy, socket, args)
}

const doings: ReadonlyArray<readonly [string, (socket: Net.Socket) => void]> = [
  ["nothing else is done", ignore],
  ["its listeners are taken off", (socket) => void socket.removeAllListeners("close")],
  ["it destroys itself in a way of its own", wrapDestroy],
  ["it destroys itself as its class does", (socket) => {
    socket._destroy = Net.Socket.prototype._destroy
  }],
  ["it destroys itself as nobody has changed it", (socket) => {
    Reflect.deleteProperty(socket, "_destroy")
  }],
  ["as it is destroyed, its listeners are taken off", (socket) => {
    const { destroy } = socket
    socket.destroy = (error) => {
      Reflect.apply(destroy, socket, [error])
      return socket.removeAllListeners("close")
    }
  }]
]

for (const [what, prepare] of doings) {
  it(`a connection is over when its socket has closed: ${what}`, async () => {
    await Promise.all(ends.flatMap(([how, end]) =>
      (["before", "after"] as const).map(async (adopt) => {
        const { client, node, server, socket } = await served(adopt, prepare)
        expect([how, adopt, server.connections().map(({ state }) => state)]).toEqual([how, adopt, ["Idle"]])
        end({ client, socket })
        await waitFor(`${how}, ${adopt}: no connection`, () => server.connections().length === 0, limit)
        expect(await server.shutdown()).toMatchObject({ outcome: "Drained" })
        expect([how, adopt, node.listening]).toEqual([how, adopt, false])
        client.leave()
      })
    ))
  })
}

it("a connection that has no socket any more when it is passed on is over at once", async () => {
  const node = await listenOnLoopback(Http.createServer())
  const server = quiesce(node, { logger: false })
  const other = await listenOnLoopback(Net.createServer((socket) => {
    socket.on("error", ignore).destroy()
    node.emit("connection", socket)
    expect(server.connections()).toHaveLength(1)
  }))
  const passed = once(other, "connection")
  const client = await connect({ port: portOf(other) })
  await passed
  await waitFor("no connection", () => server.connections().length === 0, limit)
  expect(await server.shutdown()).toMatchObject({ outcome: "Drained" })
  client.leave()
  other.close()
})

it("a socket that is idle has no listener for it but Node's own", async () => {
  const bare = await listenOnLoopback(Http.createServer((_, response) => response.end("done")))
  const ours = await served("before", ignore)
  const accepted = once(bare, "connection")
  const client = await connect({ port: portOf(bare) })
  const socket = (await accepted)[0] as Net.Socket
  await client.write(get("/"))
  await client.untilResponses(1, limit)
  expect(ours.socket.listenerCount("close")).toBe(socket.listenerCount("close"))
  client.leave()
  ours.client.leave()
  bare.close()
  await ours.server.shutdown()
})
