import { describe, expect, it } from "vitest"
import { waitFor } from "../../support/wait.js"
import { type AmbiguousRequest, ambiguousRequests } from "../support/ambiguousRequests.js"
import { type AttackedSite, withAttackedSite } from "../support/attackedSite.js"
import { limit } from "../support/boundedShutdown.js"
import { kinds } from "../support/site.js"

// Requests that two readers may cut in different places. What a client is told is one request is never executed as two,
// what is refused is not executed, and a drain is not held up by any of them.

interface Seen {
  readonly name: string
  readonly answers: ReadonlyArray<number>
  readonly ending: string
}

/** Sends a shape, and says our side is over once an answer has come: what is queued behind it would follow. */
const send = async ({ attacker }: AttackedSite, shape: AmbiguousRequest) => {
  const raw = await attacker({ keepHalfOpen: true })
  const statuses = () => raw.parsed().responses.map(({ status }) => status)
  return async (): Promise<Seen> => {
    await raw.write(shape.sent)
    await waitFor(
      () => `an answer to ${shape.name}, but it is ${raw.ending}: ${JSON.stringify(raw.text())}`,
      () => raw.ending !== "open" || statuses().length >= shape.answers.length,
      limit
    )
    raw.halfClose()
    const ending = await raw.untilEnded(limit)
    return { name: shape.name, answers: statuses(), ending }
  }
}

const isRefused = ({ executed }: AmbiguousRequest) => executed.length === 0

/** What must have been seen of each shape: a parser may refuse with a status of its own. */
const expected = (shape: AmbiguousRequest, seen: Seen): Seen => ({
  name: shape.name,
  answers: isRefused(shape) && seen.answers.length === 1 && [413, 431, 501].includes(seen.answers[0]!)
    ? seen.answers
    : shape.answers,
  ending: "fin"
})

const executedBy = (all: ReadonlyArray<AmbiguousRequest>) => all.flatMap(({ executed }) => executed).sort()

const withoutHonest = (executed: ReadonlyArray<string>) =>
  executed.filter((each) => !/^POST \/echo (\d+-\d+ )+$/.test(each)).sort()

for (const kind of kinds) {
  describe(`smuggling, against ${kind}`, () => {
    it("while serving: each shape is refused, or executed as often as it is answered", () =>
      withAttackedSite(kind, async (attacked) => {
        const seen = await Promise.all(ambiguousRequests.map(async (shape) => (await send(attacked, shape))()))
        expect(seen).toEqual(ambiguousRequests.map((shape, index) => expected(shape, seen[index]!)))
        expect(withoutHonest(attacked.site.executed)).toEqual(executedBy(ambiguousRequests))
        await attacked.honest.served(3, limit)
        const { millis, report } = await attacked.shutdown()
        expect(report).toMatchObject({ outcome: "Drained", cut: [], forceClosed: [], connections: { cut: 0 } })
        expect(millis).toBeLessThan(2500)
      }))

    it("while draining: the same, and the drain ends when the last honest answer has left", () =>
      withAttackedSite(kind, async (attacked) => {
        const held = await attacked.attacker()
        await held.write("GET /hold HTTP/1.1\r\nHost: test\r\n\r\n")
        await held.untilText("first ", limit)
        const sends = await Promise.all(ambiguousRequests.map((shape) => send(attacked, shape)))
        await waitFor("all to be accepted", () => attacked.connections().length >= ambiguousRequests.length + 1, limit)
        const shutdown = attacked.shutdown()
        await attacked.untilPhase("Draining")
        const seen = await Promise.all(sends.map((send) => send()))
        expect(seen).toEqual(ambiguousRequests.map((shape, index) => expected(shape, seen[index]!)))
        expect(withoutHonest(attacked.site.executed)).toEqual(
          [...executedBy(ambiguousRequests.filter(({ refusedInDrain }) => refusedInDrain !== true)), "GET /hold"].sort()
        )
        attacked.site.release()
        await held.untilText("last", limit)
        const { report } = await shutdown
        expect(report).toMatchObject({ outcome: "Drained", cut: [], forceClosed: [], connections: { cut: 0 } })
      }, { policy: { timeout: 20_000, newConnectionGrace: 10_000 } }))
  })
}
