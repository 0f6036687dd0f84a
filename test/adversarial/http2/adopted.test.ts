import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type * as Http from "node:http"
import { describe, expect, it } from "vitest"
import { Server } from "../../../src/index.js"
import { get } from "../../support/httpRequests.js"
import { createServer, portOf, type Wire } from "../../support/nodeServer.js"
import { connect } from "../../support/rawClient.js"
import { reportOf, silent } from "../../support/running.js"
import { deferred, pace, waitFor } from "../../support/wait.js"
import { leavingNothing, makeWork, policy, withAttackedServer } from "../support/attackedServer.js"
import { limit } from "../support/boundedShutdown.js"

// Pins internal/node: responseBeingWritten, socketsOf

const wires: ReadonlyArray<Wire> = ["http", "https", "h2c", "h2"]

const run = <A, E>(effect: Effect.Effect<A, E>) => Effect.runPromise(Effect.provide(effect, silent))

/** A server of its own for a Node server that somebody else listens on. */
const adopted = <A>(
  node: Http.Server,
  use: (server: Server.ServerService) => Promise<A>
): Promise<A> =>
  leavingNothing(() =>
    run(Effect.scoped(
      Effect.flatMap(Server.adopt(node, policy), (server) => Effect.promise(() => use(server)))
    ))
  )

const listen = async (node: Http.Server, port = 0): Promise<number> => {
  await new Promise<void>((resolve) => node.listen({ port, host: "127.0.0.1" }, resolve))
  return portOf(node)
}

for (const wire of wires) {
  describe(`an adopted server of ${wire}`, () => {
    it("that its owner closes three times shuts down once, and calls each of them back when it is over", () =>
      withAttackedServer(wire, async (on) => {
        const honest = await on.honest()
        const back: Array<string> = []
        on.node.close(() => back.push("first"))
        await on.untilPhase("Draining")
        on.node.close(() => back.push("second"))
        const ended = on.shutdown()
        on.node.close(() => back.push("third"))
        if ("closeIdleConnections" in on.node) on.node.closeIdleConnections()
        await pace(50)
        expect(back).toEqual([])
        on.work.release()
        expect(await honest.answer).toBe("first last")
        expect((await ended).report).toMatchObject({ outcome: "Drained", served: 1, cut: [] })
        await waitFor("every callback", () => back.length === 3, limit)
      }, { adopted: true }))

    it("whose owner closes all connections during the drain cuts nothing", () =>
      withAttackedServer(wire, async (on) => {
        const honest = await on.honest()
        const ended = on.shutdown()
        await on.untilPhase("Draining")
        if ("closeAllConnections" in on.node) on.node.closeAllConnections()
        await pace(50)
        on.work.release()
        expect(await honest.answer).toBe("first last")
        const { millis, report } = await ended
        expect(report).toMatchObject({ outcome: "Drained", served: 1, cut: [], connections: { cut: 0 } })
        expect(millis).toBeLessThan(policy.timeout)
      }, { adopted: true }))
  })
}

describe("a server that is adopted", () => {
  it("while it has connections: idle, in flight, with half a head, and without a byte", async () => {
    const work = makeWork()
    const node = createServer("http", work.handler) as Http.Server
    const port = await listen(node)
    const [idle, busy, half, silentOne] = await Promise.all([1, 2, 3, 4].map(() => connect({ port })))
    try {
      await idle!.write(get("/"))
      await idle!.untilResponses(1, limit)
      await busy!.write(get("/slow"))
      await busy!.untilText("first", limit)
      await half!.write("GET / HTTP/1.1\r\nHos")
      await waitFor(
        "four connections",
        new Promise<void>((resolve) => {
          const ask = () => node.getConnections((_, count) => count === 4 ? resolve() : void setImmediate(ask))
          ask()
        }),
        limit
      )
      const report = await run(Effect.scoped(Effect.gen(function*() {
        const server = yield* Server.adopt(node, policy)
        const connections = yield* server.connections
        expect(connections.map(({ protocol }) => protocol)).toEqual(Array.from({ length: 4 }, () => "http/1.1"))
        expect(connections.filter(({ inFlight }) => inFlight.length === 1)).toMatchObject([
          { state: "Active", inFlight: [{ path: "/slow" }] }
        ])
        const ended = yield* Effect.fork(reportOf(server.shutdown))
        yield* Effect.promise(() => waitFor("draining", () => Effect.runSync(server.phase.get) === "Draining", limit))
        yield* Effect.promise(() => half!.write("t: test\r\n\r\n"))
        expect((yield* Effect.promise(() => half!.untilResponses(1, limit))).responses[0]).toMatchObject({
          status: 200,
          headers: { connection: "close" }
        })
        work.release()
        yield* Effect.promise(() => busy!.untilResponses(1, limit))
        return yield* Effect.fromFiber(ended)
      })))
      expect(report).toMatchObject({ outcome: "Drained", served: 2, cut: [], forceClosed: [] })
      expect(report.connections).toMatchObject({ open: 4, accepted: 0, cut: 0 })
      for (const raw of [idle!, silentOne!]) expect(await raw.untilEnded(limit)).not.toBe("open")
      expect(idle!.parsed().responses).toHaveLength(1)
    } finally {
      for (const raw of [idle, busy, half, silentOne]) raw!.leave()
    }
  })

  it("twice is refused the second time, whoever adopts it, and goes on serving", () => {
    const work = makeWork()
    const node = createServer("http", work.handler) as Http.Server
    return adopted(node, async (server) => {
      const port = await listen(node)
      const again: ReadonlyArray<
        Effect.Effect<unknown, { readonly _tag: string; readonly message: string }, Scope.Scope>
      > = [server.adopt(node), Server.adopt(node)]
      for (const adoption of again) {
        const error = await run(Effect.flip(Effect.scoped(adoption)))
        expect(error).toMatchObject({ _tag: "ListenError" })
        expect(error.message).toContain("it has been listened with or adopted")
      }
      const raw = await connect({ port })
      await raw.write(get("/"))
      expect((await raw.untilResponses(1, limit)).responses[0]?.status).toBe(200)
      raw.leave()
    })
  })

  it("after it has been closed has nothing to shut down", async () => {
    const node = createServer("http", makeWork().handler) as Http.Server
    await listen(node)
    await new Promise<unknown>((resolve) => node.close(resolve))
    await adopted(node, async (server) => {
      expect(await run(reportOf(server.shutdown))).toMatchObject({ outcome: "Drained", connections: { open: 0 } })
    })
  })

  it("before it listens is served and drained like any other", () => {
    const work = makeWork()
    const node = createServer("http", work.handler) as Http.Server
    return adopted(node, async (server) => {
      const port = await listen(node)
      const raw = await connect({ port })
      await raw.write(get("/slow"))
      await raw.untilText("first", limit)
      const report = run(reportOf(server.shutdown))
      await waitFor("the listener to have closed", () => !node.listening, limit)
      work.release()
      expect((await raw.untilResponses(1, limit)).responses[0]?.body.toString()).toBe("first last")
      expect(await report).toMatchObject({ outcome: "Drained", served: 1, cut: [] })
      raw.leave()
    })
  })

  it("and begins to listen while the server shuts down accepts nobody for long", () => {
    const work = makeWork()
    const node = createServer("http", work.handler) as Http.Server
    return leavingNothing(() =>
      run(Effect.scoped(Effect.gen(function*() {
        const first = createServer("http", work.handler) as Http.Server
        const server = yield* Server.adopt(first, policy)
        yield* server.adopt(node)
        yield* Effect.promise(async () => {
          const raw = await connect({ port: await listen(first) })
          await raw.write(get("/slow"))
          await raw.untilText("first", limit)
          const report = run(reportOf(server.shutdown))
          await waitFor("the listener to have closed", () => !first.listening, limit)
          node.on("error", () => {})
          node.listen({ port: 0, host: "127.0.0.1" })
          await pace(100)
          expect(node.listening).toBe(false)
          work.release()
          await raw.untilResponses(1, limit)
          expect(await report).toMatchObject({ outcome: "Drained", served: 1, cut: [] })
          raw.leave()
        })
      })))
    )
  })

  it("and begins to listen after the server has shut down is closed at once: nobody would stop it any more", () => {
    const work = makeWork()
    const node = createServer("http", work.handler) as Http.Server
    return adopted(node, async (server) => {
      await run(reportOf(server.shutdown))
      const closed = deferred()
      node.once("close", () => closed.resolve())
      expect(await listen(node)).toBeGreaterThan(0)
      await waitFor("its end", closed.promise, limit)
      expect(node.listening).toBe(false)
    })
  })

  it("and is let go without a shutdown is its owner's again", () =>
    leavingNothing(() =>
      run(Effect.scoped(Effect.gen(function*() {
        const node = createServer("http", makeWork().handler) as Http.Server
        const { close, emit } = node
        const own = Reflect.ownKeys(node)
        const server = yield* Server.make(policy)
        yield* Effect.scoped(server.adopt(node))
        expect(node).toMatchObject({ close })
        expect(new Set(Reflect.ownKeys(node))).toEqual(new Set(own))
        yield* server.shutdown
        // while there is a server, the `emit` that all Node servers inherit tells of connections that are passed on
        expect(node).toMatchObject({ close, emit })
        const port = yield* Effect.promise(() => listen(node))
        yield* Effect.promise(async () => {
          const raw = await connect({ port })
          await raw.write(get("/"))
          await raw.untilResponses(1, limit)
          raw.leave()
          await new Promise<unknown>((resolve) => node.close(resolve))
        })
      })))
    ))

  it("and cannot listen tells its owner", () => {
    const work = makeWork()
    const node = createServer("http", work.handler) as Http.Server
    const other = createServer("http", work.handler) as Http.Server
    return adopted(node, async () => {
      const port = await listen(other)
      const heard = deferred<NodeJS.ErrnoException>()
      node.once("error", heard.resolve)
      node.listen({ port, host: "127.0.0.1" })
      expect(await waitFor("its error", heard.promise, limit)).toMatchObject({ code: "EADDRINUSE" })
      await new Promise<unknown>((resolve) => other.close(resolve))
      const again = await listen(node)
      const raw = await connect({ port: again })
      await raw.write(get("/"))
      expect((await raw.untilResponses(1, limit)).responses[0]?.status).toBe(200)
      raw.leave()
    })
  })
})
