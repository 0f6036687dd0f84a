/** Busy undici clients through a shutdown, as they count it themselves. */
import { HttpServerRequest, HttpServerResponse } from "@effect/platform"
import { assert, it } from "@effect/vitest"
import { Duration, Effect } from "effect"
import { Agent, request } from "undici"
import { certificate } from "../../support/certificate.js"
import type { Wire } from "../../support/nodeServer.js"
import { silent } from "../../support/running.js"
import { waitFor } from "../../support/wait.js"
import { adopted, makeWork, served, type Site, type Work } from "./serverOnWire.js"

const body = "one line of many\n".repeat(2000)

const thinkMs = (work: Work): number => (work.executed.length % 4) * 2

const plain = (wire: Wire, work: Work) =>
  adopted(wire, (request, response) => {
    work.ran(request.url)
    setTimeout(() => response.end(body), thinkMs(work))
  })

const app = (wire: Wire, work: Work) =>
  served(
    wire,
    Effect.flatMap(HttpServerRequest.HttpServerRequest, ({ url }) => {
      work.ran(url)
      return Effect.delay(Effect.succeed(HttpServerResponse.text(body)), thinkMs(work))
    })
  )

const clientCount = 40

/** Each sends one request after the other, until nobody listens any more. */
const startClients = (origin: string, agent: Agent) => {
  const answered: Array<string> = []
  const refused: Array<string> = []
  const lost: Array<readonly [path: string, message: string]> = []
  let sent = 0
  const client = async () => {
    while (refused.length < clientCount) {
      const path = `/${sent++}`
      try {
        const response = await request(origin + path, { method: "POST", body: path, dispatcher: agent })
        if ((await response.body.text()) !== body) lost.push([path, `${response.statusCode}, half an answer`])
        else answered.push(path)
      } catch (error) {
        const { code, message } = error as NodeJS.ErrnoException
        if (code === "ECONNREFUSED") return void refused.push(path)
        // else it would go on without ever waiting for anything
        if (agent.destroyed) return
        lost.push([path, message])
      }
    }
  }
  const all = Promise.all(Array.from({ length: clientCount }, client))
  return {
    answered,
    lost,
    ended: Effect.promise(() => waitFor("all clients to be refused", all, 15_000))
  }
}

const agentOf = (allowH2: boolean) =>
  Effect.acquireRelease(
    Effect.sync(() =>
      new Agent({ allowH2, connections: 4, pipelining: allowH2 ? 10 : 1, connect: { ca: certificate.cert } })
    ),
    (agent) => Effect.promise(() => agent.destroy())
  )

/** Clients that are busy when the server shuts down, and what became of their requests. */
const shutdownUnder = ({ origin, server, stop }: Site, protocol: string, work: Work) =>
  Effect.gen(function*() {
    const clients = startClients(origin, yield* agentOf(protocol === "h2"))
    yield* work.untilRan(300)
    for (const connection of yield* server.connections) assert.strictEqual(connection.protocol, protocol)
    const report = yield* stop
    yield* clients.ended
    assert.deepStrictEqual([report.outcome, report.connections.cut], ["Drained", 0])
    assert.isBelow(Duration.toMillis(report.duration), 5000)
    return clients
  })

for (const [what, serve] of Object.entries({ "a plain Node server": plain, "an Effect app": app })) {
  for (const wire of ["http", "https", "h2"] as const) {
    it.scopedLive(`undici: HTTP/1.1 to ${what} (${wire}): all that was executed was answered`, () =>
      Effect.gen(function*() {
        const work = makeWork()
        const { answered, lost } = yield* shutdownUnder(yield* serve(wire, work), "http/1.1", work)
        assert.deepStrictEqual(lost, [])
        assert.deepStrictEqual(answered.toSorted(), work.executed.toSorted())
      }).pipe(Effect.provide(silent)))
  }

  // undici 7 destroys its connection when it reads a GOAWAY, whatever is in flight on it; undici 8 does not
  it.scopedLive(`undici: HTTP/2 to ${what}: only what the client gives up at a GOAWAY is lost`, () =>
    Effect.gen(function*() {
      const work = makeWork()
      const { answered, lost } = yield* shutdownUnder(yield* serve("h2", work), "h2", work)
      const executed = new Set(work.executed)
      const given = lost.filter(([path]) => executed.has(path))
      assert.deepStrictEqual(
        [...new Set(given.map(([, message]) => message))],
        ["HTTP/2: \"GOAWAY\" frame received with code 0"]
      )
      assert.deepStrictEqual([...answered, ...given.map(([path]) => path)].toSorted(), work.executed.toSorted())
    }).pipe(Effect.provide(silent)))
}
