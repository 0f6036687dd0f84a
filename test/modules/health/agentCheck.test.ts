import * as HttpServer from "@effect/platform/HttpServer"
import { describe, expect, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import { once } from "node:events"
import { createServer } from "node:http"
import * as Net from "node:net"
import { AgentCheck, Health, NodeHttpServer } from "../../../src/index.js"
import { quiesce } from "../../../src/promise.js"
import { refused } from "../../support/example.js"
import { makeApp } from "../../support/handlers.js"
import { listenOnLoopback } from "../../support/nodeServer.js"
import { client, get, launch, responses, send, targetOf, untilPhase } from "../../support/running.js"
import { waitFor } from "../../support/wait.js"

const limit = 10_000

/** What HAProxy reads: all that comes until it is hung up on. */
const line = async (port: number, sent?: string): Promise<string> => {
  const socket = Net.connect(port, "127.0.0.1")
  let text = ""
  socket.setEncoding("utf8").on("data", (more: string) => void (text += more))
  if (sent !== undefined) socket.write(sent)
  await once(socket, "end")
  socket.destroy()
  return text
}

const portOf = (address: HttpServer.Address): number => {
  if (!("port" in address)) throw new Error("no port")
  return address.port
}

const app = (lameDuck: string) => {
  const { app, gate } = makeApp()
  const layer = HttpServer.serve(app).pipe(
    Layer.provideMerge(AgentCheck.layer({ port: 0 })),
    Layer.provideMerge(Health.layer),
    Layer.provideMerge(NodeHttpServer.layer(() => createServer(), {
      host: "127.0.0.1",
      port: 0,
      lameDuck: lameDuck as "1 minute",
      timeout: "1 hour"
    }))
  )
  return Effect.map(
    launch(layer, (context) => targetOf(Context.get(context, HttpServer.HttpServer).address)),
    (running) => ({ ...running, gate, agent: portOf(Context.get(running.context, AgentCheck.AgentCheck).address) })
  )
}

describe("HAProxy's agent check", () => {
  it.scoped("says whether the server wants traffic, through its whole life, and is gone last", () =>
    Effect.gen(function*() {
      const { agent, context, gate, interrupt, report, server, target } = yield* app("1 minute")
      const ask = Effect.promise(() => line(agent))
      expect(yield* ask).toBe("up ready\n")
      // `agent-send`
      expect(yield* Effect.promise(() => line(agent, "app/a\n"))).toBe("up ready\n")
      const health = Context.get(context, Health.Health)
      yield* Effect.scoped(Effect.gen(function*() {
        yield* health.check("data\nbase", Effect.fail("the password is wrong"), { cache: 0 })
        for (let nth = 0; nth < 6; nth++) yield* health.check(`further ${nth}`, Effect.fail("no"), { cache: 0 })
        expect(yield* ask).toBe("down # not ready: data?base, further 0, further 1, further 2, further 3, …\n")
      }))
      expect(yield* ask).toBe("up ready\n")

      const held = yield* client(target)
      yield* send(held, get("/hold"))
      yield* gate.untilStarted(1)
      yield* interrupt
      expect(yield* ask).toBe("drain\n")
      yield* untilPhase(server, "LameDuck")
      expect(yield* ask).toBe("drain\n")
      yield* server.drainNow
      yield* untilPhase(server, "Draining")
      expect(yield* ask).toBe("stopped # shutting down\n")
      yield* gate.open
      yield* responses(held, 1)
      expect(yield* report).toMatchObject({ outcome: "Drained" })
      yield* Effect.promise(() => refused({ port: agent }))
    }))

  it.scoped("without a lame duck it says `drain` at no time", () =>
    Effect.gen(function*() {
      const { agent, gate, interrupt, report, server, target } = yield* app("0 seconds")
      const held = yield* client(target)
      yield* send(held, get("/hold"))
      yield* gate.untilStarted(1)
      yield* interrupt
      yield* untilPhase(server, "Draining")
      expect(yield* Effect.promise(() => line(agent))).toBe("stopped # shutting down\n")
      yield* gate.open
      yield* report
    }))

  it.scoped("fails with what is wrong about its options", () =>
    Effect.gen(function*() {
      const { agent, context } = yield* app("0 seconds")
      const failure = (options: AgentCheck.Options) =>
        Effect.map(Effect.exit(Effect.provide(Effect.scoped(AgentCheck.make(options)), context)), (exit) =>
          Exit.isFailure(exit) ? String(exit.cause) : "")
      expect(yield* failure({ prot: 0 } as AgentCheck.Options)).toContain("did you mean \"port\"?")
      expect(yield* failure({ port: agent })).toContain("This process listens there itself")
    }))

  it("says `drain` to HAProxy, whoever else is connected and stays", async () => {
    const server = quiesce(await listenOnLoopback(createServer()), {
      agentCheck: 0,
      lameDuck: "1 hour",
      logger: false
    })
    const { port } = (await server.agentCheck)!
    const places = 64
    // these have their line, and keep their side open
    const holders = Array.from(
      { length: places },
      () => Net.connect({ allowHalfOpen: true, host: "127.0.0.1", port }).resume().on("error", () => {})
    )
    await waitFor("their lines", Promise.all(holders.map((socket) => once(socket, "end"))), limit)
    expect(await line(port)).toBe("up ready\n")
    // these wait for a check that does not answer
    server.check("database", () => new Promise(() => {}), { timeout: "1 minute" })
    let refused = 0
    const waiting = Array.from(
      { length: 2 * places },
      () => Net.connect(port, "127.0.0.1").resume().on("error", () => {}).once("close", () => void refused++)
    )
    await waitFor("the oldest of them to be hung up on", () => refused === places, limit)
    const asked = line(port)
    await waitFor("the next", () => refused === places + 1, limit)
    void server.shutdown()
    expect(await asked).toBe("drain\n")
    expect(await line(port)).toBe("drain\n")
    for (const socket of [...holders, ...waiting]) socket.destroy()
    await server.close()
  })

  it("hangs up on a client that has its line", async () => {
    const server = quiesce(await listenOnLoopback(createServer()), { agentCheck: 0, logger: false })
    const { port } = (await server.agentCheck)!
    const socket = Net.connect({ allowHalfOpen: true, host: "127.0.0.1", port })
    socket.resume()
    await waitFor("the line", once(socket, "end"), limit)
    const told = performance.now()
    // it hears of it when it speaks
    const reset = once(socket, "error")
    const speaks = setInterval(() => void socket.write("x"), 20)
    await waitFor("a reset", reset, limit)
    clearInterval(speaks)
    expect(performance.now() - told).toBeLessThan(2500)
    await server.close()
  })

  it("says `down` in time of a check that takes longer", async () => {
    const server = quiesce(await listenOnLoopback(createServer()), { agentCheck: 0, logger: false })
    server.check("database", () => new Promise(() => {}), { timeout: "30 seconds" })
    const { port } = (await server.agentCheck)!
    expect(await line(port)).toBe("down # not ready: no answer of its checks in 4s\n")
    await server.close()
  })

  it("is an option of quiesce/promise, until `finally` is done", async () => {
    let seen = ""
    const server = quiesce(await listenOnLoopback(createServer()), {
      agentCheck: 0,
      lameDuck: "1 hour",
      logger: false,
      finally: async () => {
        seen = await line((await server.agentCheck)!.port)
      }
    })
    const { address, port } = (await server.agentCheck)!
    expect(address).toBe("127.0.0.1")
    expect(await line(port)).toBe("up ready\n")
    server.check("database", () => false)
    expect(await line(port)).toBe("down # not ready: database\n")
    const stopped = server.shutdown()
    expect(await line(port)).toBe("drain\n")
    void server.close()
    await stopped
    expect(seen).toBe("stopped # shutting down\n")
    await expect(line(port)).rejects.toMatchObject({ code: "ECONNREFUSED" })
    for (const agentCheck of [-1, "9100", {}, { port: 0, path: "/x" }, { port: 0, host: 1 }]) {
      expect(() => quiesce(createServer(), { agentCheck: agentCheck as number }), JSON.stringify(agentCheck))
        .toThrow(/agentCheck/)
    }
  })
})
