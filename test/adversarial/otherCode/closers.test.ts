import { once } from "node:events"
import { promisify } from "node:util"
import { describe, expect, it } from "vitest"
import { waitFor } from "../../support/wait.js"
import {
  answerSize,
  apis,
  kinds,
  limit,
  type RunningServer,
  startReader,
  startServer,
  untilPhase
} from "./sharedServer.js"

// Pins internal/node: closeAllConnections, closeIdleConnections, serverClose, serverDispose, serverOf

// Other code in the process has the Node server, too, and closes it: it stops as if it had been told to us.

type Close = (running: RunningServer) => unknown

const ways: Record<string, Close> = {
  "close()": ({ node }) => node.close(),
  "close(callback)": ({ node }) => promisify(node.close.bind(node))(),
  "close(), and once more": ({ node }) =>
    Promise.all([promisify(node.close.bind(node))(), promisify(node.close.bind(node))()]),
  "Symbol.asyncDispose": ({ node }) => node[Symbol.asyncDispose](),
  "close(), closeIdleConnections() and closeAllConnections()": ({ node }) => {
    node.close()
    if ("closeIdleConnections" in node) node.closeIdleConnections()
    if ("closeAllConnections" in node) node.closeAllConnections()
  },
  "closeAllConnections(), and then close()": ({ node }) => {
    if ("closeAllConnections" in node) node.closeAllConnections()
    node.close()
  }
}

const when: Record<
  string,
  { readonly policy?: object; readonly before: (running: RunningServer) => Promise<unknown> }
> = {
  "while it serves": { before: async () => {} },
  "in a lame duck": {
    policy: { lameDuck: 300 },
    before: async (running) => {
      void running.shutdown()
      await untilPhase(running, "LameDuck")
    }
  },
  "in a drain": {
    before: async (running) => {
      void running.shutdown()
      await untilPhase(running, "Draining")
      await waitFor("the listener to have closed", () => !running.node.listening, limit)
    }
  }
}

for (const [moment, { before, policy }] of Object.entries(when)) {
  describe(`${moment}, nothing that is owed is cut by`, () => {
    for (const [way, close] of Object.entries(ways)) {
      it(way, async () => {
        const cells = moment === "in a drain"
          ? apis.flatMap((api) => kinds.map((kind) => [api, kind] as const))
          : [["promise", "http"], ["adopt", "h2c"], ["layer", "https"], ["layer", "h2"]] as const
        await Promise.all(cells.map(async ([api, kind]) => {
          const server = await startServer(api, kind, policy)
          let closes = 0
          server.node.on("close", () => closes++)
          const client = await startReader(kind, server.node)
          await before(server)
          const closing = Promise.resolve(close(server))
          server.finish()
          client.go()
          expect([api, kind, await client.end, (await server.closed).outcome]).toEqual([
            api,
            kind,
            answerSize,
            "Drained"
          ])
          await waitFor(`${api}, ${kind}: close to have called back`, closing, limit)
          const report = await waitFor(`${api}, ${kind}: the report`, server.closed, limit)
          expect(report).toMatchObject({ outcome: "Drained", cut: [], connections: { cut: 0 } })
          expect(server.node.listening).toBe(false)
          await waitFor(`${api}, ${kind}: the end of the server`, () => closes > 0, limit)
          expect(closes).toBe(1)
        }))
      })
    }
  })
}

describe("closeIdleConnections", () => {
  it("in steady state closes what is idle, and nothing whose answer has not left", async () => {
    for (const kind of ["http", "https"] as const) {
      const server = await startServer("promise", kind)
      const client = await startReader(kind, server.node)
      server.finish()
      await new Promise(setImmediate)
      client.go()
      if ("closeIdleConnections" in server.node) server.node.closeIdleConnections()
      expect(await client.end).toBe(answerSize)
    }
  })
})

describe("after the drain", () => {
  for (const api of apis) {
    it(`close succeeds, until the server listens again (${api})`, async () => {
      for (const kind of kinds) {
        const { node, ...server } = await startServer(api, kind)

        expect((await server.shutdown()).outcome).toBe("Drained")
        await promisify(node.close.bind(node))()
        await new Promise(setImmediate)
        await promisify(node.close.bind(node))()
        const told = once(node, "close")
        expect(node.close()).toBe(node)
        await waitFor("the event", told, limit)
        await node[Symbol.asyncDispose]()
        expect(node.listening).toBe(false)

        node.listen(0, "127.0.0.1")
        await once(node, "listening")
        await promisify(node.close.bind(node))()
        await expect(promisify(node.close.bind(node))()).rejects.toMatchObject({ code: "ERR_SERVER_NOT_RUNNING" })
      }
    })
  }

  for (const api of apis) {
    it(`one that listens again as it tells of its close goes on to listen (${api})`, async () => {
      for (const kind of kinds) {
        const { closed, node } = await startServer(api, kind)
        const listensAgain = new Promise<void>((resolve) => node.close(() => node.listen(0, "127.0.0.1", resolve)))
        await waitFor("it to listen again", listensAgain, limit)
        expect((await waitFor("the report", closed, limit)).outcome).toBe("Drained")
        expect(node.listening).toBe(true)
        await new Promise(setImmediate)
        await promisify(node.close.bind(node))()
      }
    })
  }
})
