/**
 * What a client sees when the server behind it stops: the same in every framework, over every protocol. The cases
 * are written once; a table at the end says who speaks what.
 */
import { describe, expect, it } from "vitest"
import { startLimit, withChild } from "../../support/child.js"
import { waitFor } from "../../support/wait.js"
import { adopted, type Framework } from "./apps.js"
import { type FrameworkOnWire, withFrameworkOnWire } from "./frameworkOnWire.js"
import { type Client, isHttp2, isSecure, type Outcome, type Wire, wires } from "./wires.js"
import { longBody } from "./work.js"

/** `undefined`: an Effect app, served by `NodeHttpServer`. The others' servers are adopted. */
const frameworks: ReadonlyArray<Framework | undefined> = [undefined, ...adopted]

/** Only a failing test takes it. */
const limit = 10_000

const cannotOf = ({ cannot }: Framework) =>
  wires.flatMap((wire) => cannot[wire] === undefined ? [] : [[wire, cannot[wire]] as const])

const leaves = (client: Client) => waitFor("a client's connection to close", () => !client.connected, limit)

const bodyOf = (outcome: Outcome) => "body" in outcome ? outcome.body.toString() : outcome
const answered = (outcome: Outcome) => (expect(outcome).toMatchObject({ _tag: "Answered", status: 200 }), outcome)

const inFlight = (wire: Wire) => async ({ connect, drain, ran, report, work }: FrameworkOnWire) => {
  const [download, upload] = [connect(), connect()]
  const slow = download.send("/slow")
  const half = longBody.length / 2
  const posted = upload.send("/body", longBody.length)
  posted.write(Buffer.from(longBody.slice(0, half)))
  await ran(2)
  await drain()
  posted.end(Buffer.from(longBody.slice(half)))
  expect(bodyOf(answered(await posted.outcome))).toBe(longBody)
  work.release()
  const answer = answered(await slow.outcome)
  expect(bodyOf(answer)).toBe(longBody)
  if (!isHttp2(wire)) expect(answer).toMatchObject({ headers: { connection: "close" } })
  await Promise.all([download, upload].map(leaves))
  expect(await report()).toMatchObject({
    outcome: "Drained",
    served: 2,
    cut: [],
    forceClosed: [],
    connections: { open: 2, accepted: 0, completed: 2, idleClosed: 0, cut: 0 }
  })
}

const idle =
  (wire: Wire) => async ({ connect, connections: open, drain, phase, ran, report, work }: FrameworkOnWire) => {
    const [resting, busy] = [connect(), connect()]
    answered(await resting.send("/").outcome)
    const slow = busy.send("/slow")
    await ran(2)
    const spoken = { protocol: isHttp2(wire) ? "h2" : "http/1.1", secure: isSecure(wire) }
    expect(open()).toMatchObject([
      { ...spoken, state: "Idle", served: 1, inFlight: [] },
      { ...spoken, state: "Active", served: 0, inFlight: [{ method: "GET", path: "/slow" }] }
    ])
    await drain()
    await leaves(resting)
    expect({ busy: busy.connected, phase: phase() }).toEqual({ busy: true, phase: "Draining" })
    work.release()
    answered(await slow.outcome)
    const { connections, outcome, served } = await report()
    expect({ outcome, served }).toEqual({ outcome: "Drained", served: 1 })
    expect(connections).toMatchObject({ open: 2, cut: 0 })
    expect(connections.completed + connections.idleClosed).toBe(2)
  }

const late = async ({ connect, drain, phase, ran, report, work }: FrameworkOnWire) => {
  const [resting, busy] = [connect(), connect()]
  answered(await resting.send("/").outcome)
  const slow = busy.send("/slow")
  await ran(2)
  await drain()
  const answer = answered(await resting.send("/").outcome)
  expect(answer).toMatchObject({ headers: { connection: "close" } })
  await leaves(resting)
  expect({ connections: resting.connections, phase: phase() }).toEqual({ connections: 1, phase: "Draining" })
  work.release()
  answered(await slow.outcome)
  expect(await report()).toMatchObject({ outcome: "Drained", served: 2, cut: [], connections: { completed: 2 } })
}

/** The client has not seen the GOAWAY when it sends these. */
const crossing = async ({ connect, ran, report, stop, work }: FrameworkOnWire) => {
  const client = connect()
  const slow = client.send("/slow")
  await ran(1)
  stop()
  const crossed = Array.from({ length: 20 }, (_, n) => client.send(`/?id=${n}`))
  const outcomes = await Promise.all(crossed.map(({ outcome }) => outcome))
  outcomes.forEach((outcome, n) =>
    expect({ n, tag: outcome._tag }).toEqual({ n, tag: work.executed.includes(`${n}`) ? "Answered" : "Refused" })
  )
  work.release()
  expect(bodyOf(answered(await slow.outcome))).toBe(longBody)
  await leaves(client)
  expect(await report()).toMatchObject({ outcome: "Drained", cut: [], connections: { open: 1, cut: 0 } })
}

const busyClients = 4

/**
 * The HTTP/2 client of Node 20.18 may forget a stream when a GOAWAY comes, of whatever server; that of 20.19 does not.
 * Its servers are then asked by a client of our own.
 */
const clientForgetsStreams = process.versions.node.startsWith("20.18.")

const busyClient = (wire: Wire, { connect, framesClient }: FrameworkOnWire): Client =>
  isHttp2(wire) && clientForgetsStreams ? framesClient() : connect()

const nothingLost = (wire: Wire) => async (served: FrameworkOnWire) => {
  const { ran, report, stop, work } = served
  const outcomes = new Map<string, Outcome>()
  let ids = 0
  const loop = async (client: Client) => {
    while (true) {
      const id = `${ids++}`
      const slow = ids % 5 === 0
      const outcome = await client.send(slow ? `/slow?ms=10&id=${id}` : `/?id=${id}`).outcome
      outcomes.set(id, outcome)
      if (outcome._tag === "Answered") expect(outcome.body.length).toBe((slow ? longBody : "hello").length)
      if (outcome._tag === "Refused" && outcome.code === "ECONNREFUSED") return
    }
  }
  const loops = Array.from({ length: busyClients }, () => busyClient(wire, served)).flatMap((client) =>
    Array.from({ length: isHttp2(wire) ? 4 : 1 }, () => loop(client))
  )
  await ran(100)
  stop()
  await waitFor("every client to be refused", Promise.all(loops), limit)
  const ending = await report()
  const withTag = (...tags: ReadonlyArray<string>) =>
    Array.from(outcomes).filter(([, { _tag }]) => tags.includes(_tag)).map(([id]) => Number(id)).sort((a, b) => a - b)
  expect(withTag("Lost", "Truncated")).toEqual([])
  expect(withTag("Answered")).toEqual(work.executed.map(Number).sort((a, b) => a - b))
  expect(ending).toMatchObject({ outcome: "Drained", cut: [] })
}

const deadline = async ({ connect, node, ran, report, stop }: FrameworkOnWire) => {
  const [silent, talking] = [connect(), connect()]
  const slow = silent.send("/slow")
  const stream = talking.send("/stream")
  await ran(2)
  expect(await stream.begun).toBe(true)
  stop()
  const { connections, cut, outcome } = await report()
  expect(outcome).toBe("DeadlineExceeded")
  expect(
    cut.map(({ clientReceived, method, path }) => ({ method, path, clientReceived })).sort((a, b) =>
      a.path < b.path ? -1 : 1
    )
  )
    .toEqual([
      { method: "GET", path: "/slow", clientReceived: "503" },
      { method: "GET", path: "/stream", clientReceived: "truncated" }
    ])
  expect(connections.open).toBe(2)
  expect(await slow.outcome).toMatchObject({ _tag: "Answered", status: 503 })
  expect(await stream.outcome).toMatchObject({ _tag: "Truncated", status: 200 })
  await Promise.all([silent, talking].map(leaves))
  expect(node.listening).toBe(false)
}

for (const framework of frameworks) {
  for (const wire of wires) {
    if (framework?.cannot[wire] !== undefined) continue
    const run =
      (policy: Parameters<typeof withFrameworkOnWire>[2], use: (served: FrameworkOnWire) => Promise<void>) => () =>
        withFrameworkOnWire(framework, wire, policy, use)

    describe(`${framework?.name ?? "Effect"} over ${wire}`, () => {
      it("answers in full what is in flight, both ways", run({}, inFlight(wire)))
      it("lets an idle connection go at once, while another is being served", run({ idleGrace: 0 }, idle(wire)))
      if (isHttp2(wire)) {
        it("answers what crosses its GOAWAY, or has not run it", run({}, crossing))
      } else {
        it("answers a late request on an idle connection, and says close", run({ idleGrace: "30 seconds" }, late))
      }
      it("loses nothing of busy clients, and runs nothing for nobody", run({}, nothingLost(wire)))
      it(
        "cuts at the deadline what does not end, and reports it",
        run(
          { timeout: "300 millis", killTimeout: "100 millis" },
          deadline
        )
      )
    })
  }
}

const speaks = (framework: Framework | undefined, wire: Wire) => framework?.cannot[wire] === undefined

describe("who speaks what", () => {
  it("is this", () => {
    const table = frameworks.map((framework) =>
      [framework?.name ?? "Effect", ...wires.map((wire) => speaks(framework, wire) ? wire : "-")].join(" | ")
    )
    expect(table).toEqual([
      "Effect | HTTP/1.1 | HTTPS | h2c | h2 | 1.1 at h2",
      "plain Node | HTTP/1.1 | HTTPS | h2c | h2 | 1.1 at h2",
      "express | HTTP/1.1 | HTTPS | - | - | 1.1 at h2",
      "fastify | HTTP/1.1 | HTTPS | h2c | h2 | 1.1 at h2",
      "hono | HTTP/1.1 | HTTPS | h2c | h2 | 1.1 at h2",
      "koa | HTTP/1.1 | HTTPS | h2c | h2 | 1.1 at h2"
    ])
  })

  // when one of these fails, the framework has learnt it: take the line out of its `cannot`
  for (const framework of adopted) {
    for (const [wire, why] of cannotOf(framework)) {
      it(
        `${framework.name} does not speak ${wire}: ${why}`,
        () =>
          withChild(new URL("fixtures/unspoken.ts", import.meta.url), [framework.name, wire], async (child) => {
            await child.exit(startLimit)
            expect(child.linesOf("outcome")).not.toMatchObject([{ answered: true }])
            expect(child.stderr()).toMatch(/TypeError: .*[^]*_http_/)
          }),
        startLimit
      )
    }
  }
})
