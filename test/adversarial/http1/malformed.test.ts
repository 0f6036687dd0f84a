import { describe, expect, it } from "vitest"
import { waitFor } from "../../support/wait.js"
import { type AttackedSite, withAttackedSite } from "../support/attackedSite.js"
import { limit } from "../support/boundedShutdown.js"
import { kinds } from "../support/site.js"

// Heads and chunks that are none, or too large: each is refused by what Node answers, is in the account of the server,
// and neither costs an honest client anything nor holds up a drain.

const long = (length: number) => "a".repeat(length)
const chunked = "POST /echo HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n"

/** What is sent, and the status that refuses it; none where the connection is just closed. */
const refusals: ReadonlyArray<readonly [name: string, sent: string | Buffer, status: number]> = [
  ["bytes that are no text", Buffer.from([0, 1, 2, 255, 254, 13, 10, 13, 10]), 400],
  ["a TLS handshake", Buffer.from([22, 3, 1, 2, 0, 1, 0, 1, 252, 3, 3]), 400],
  ["the preface of HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400],
  ["a version that is none", "GET / HTTP/9.9\r\nHost: test\r\n\r\n", 400],
  ["a method that is none", "FETCH / HTTP/1.1\r\nHost: test\r\n\r\n", 400],
  ["no target", "GET  HTTP/1.1\r\nHost: test\r\n\r\n", 400],
  ["no host", "GET / HTTP/1.1\r\n\r\n", 400],
  ["a header name with a space in it", "GET / HTTP/1.1\r\nHost: test\r\nX Y: z\r\n\r\n", 400],
  ["an empty header name", "GET / HTTP/1.1\r\nHost: test\r\n: z\r\n\r\n", 400],
  ["an oversized target", `GET /${long(20_000)} HTTP/1.1\r\nHost: test\r\n\r\n`, 431],
  ["an oversized header", `GET / HTTP/1.1\r\nHost: test\r\nX-Long: ${long(20_000)}\r\n\r\n`, 431],
  ["a header that never ends", `GET / HTTP/1.1\r\nHost: test\r\nX-Long: ${long(1_000_000)}`, 431],
  ["too many headers", `GET / HTTP/1.1\r\nHost: test\r\n${"X-Many: yes\r\n".repeat(5000)}\r\n`, 431],
  ["a chunk size that is none", `${chunked}xyz\r\nhello\r\n0\r\n\r\n`, 400],
  ["a chunk size that overflows", `${chunked}fffffffffffffffff\r\n`, 400],
  ["a chunk that is longer than it says", `${chunked}3\r\nhello\r\n0\r\n\r\n`, 400],
  ["an oversized chunk extension", `${chunked}5;${long(40_000)}\r\nhello\r\n0\r\n\r\n`, 413],
  ["oversized trailers", `${chunked}5\r\nhello\r\n0\r\nX-Long: ${long(20_000)}\r\n\r\n`, 431]
]

const refused = async ({ attacker }: AttackedSite, [name, sent]: typeof refusals[number]) => {
  const raw = await attacker()
  await raw.write(sent)
  await waitFor(() => `the end of ${name}; it got ${JSON.stringify(raw.text())}`, () => raw.ending !== "open", limit)
  return { name, statuses: raw.parsed().responses.map(({ status }) => status) }
}

/** A reset may take the answer with it, where more was sent than was read; what came is never anything else. */
const check = (attacked: AttackedSite, all: ReadonlyArray<Awaited<ReturnType<typeof refused>>>) => {
  const surprises = all.filter(({ statuses }, index) =>
    statuses.length > 1 || statuses.some((status) => status !== refusals[index]![2])
  )
  expect(surprises).toEqual([])
  expect(all.filter(({ statuses }) => statuses.length === 1).length).toBeGreaterThanOrEqual(refusals.length - 4)
  expect(attacked.site.executed.filter((each) => !each.startsWith("POST /echo"))).toEqual([])
}

/** A generator of random numbers that a seed repeats. */
const random = (seed: number) => () => {
  seed = (seed + 0x6d2b79f5) | 0
  let t = Math.imul(seed ^ (seed >>> 15), 1 | seed)
  t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
  return ((t ^ (t >>> 14)) >>> 0) / 4294967296
}

/** Valid requests, each with a few bytes that are changed, doubled, or left out. */
const mutated = (next: () => number): Buffer => {
  const base = Buffer.from(
    next() < 0.5
      ? `${chunked}5\r\nhello\r\n6;x=y\r\n world\r\n0\r\nX-Trailer: z\r\n\r\n`
      : "POST /echo HTTP/1.1\r\nHost: test\r\nContent-Length: 11\r\nX-Header: value\r\n\r\nhello world",
    "latin1"
  )
  const interesting = [0, 9, 10, 13, 32, 43, 45, 58, 59, 127, 128, 255]
  let bytes = base
  for (let n = 1 + Math.floor(next() * 3); n > 0; n--) {
    const at = Math.floor(next() * bytes.length)
    const byte = Buffer.from([
      next() < 0.7 ? interesting[Math.floor(next() * interesting.length)]! : Math.floor(next() * 256)
    ])
    const skip = next() < 0.5 ? 1 : 0
    bytes = Buffer.concat([bytes.subarray(0, at), next() < 0.8 ? byte : Buffer.alloc(0), bytes.subarray(at + skip)])
  }
  return bytes
}

for (const kind of kinds) {
  describe(`malformed and oversized heads and chunks, against ${kind}`, () => {
    it("are refused while serving", () =>
      withAttackedSite(kind, async (attacked) => {
        check(attacked, await Promise.all(refusals.map((each) => refused(attacked, each))))
        await attacked.honest.served(3, limit)
        const { report } = await attacked.shutdown()
        expect(report).toMatchObject({ outcome: "Drained", cut: [], forceClosed: [] })
      }))

    it("are refused while draining, which they do not hold up", () =>
      withAttackedSite(kind, async (attacked) => {
        const held = await attacked.attacker()
        await held.write("GET /hold HTTP/1.1\r\nHost: test\r\n\r\n")
        await held.untilText("first ", limit)
        const raws = await Promise.all(refusals.map(() => attacked.attacker()))
        await waitFor("all to be accepted", () => attacked.connections().length > refusals.length, limit)
        const shutdown = attacked.shutdown()
        await attacked.untilPhase("Draining")
        await Promise.all(raws.map((raw, index) => raw.write(refusals[index]![1])))
        await Promise.all(raws.map((raw) => raw.untilEnded(limit)))
        await waitFor("the held request alone to be left", () => attacked.connections().length === 1, limit)
        attacked.site.release()
        await held.untilText("last", limit)
        const { report } = await shutdown
        expect(report).toMatchObject({ outcome: "Drained", cut: [], forceClosed: [], connections: { cut: 0 } })
        expect(attacked.site.executed).toContain("GET /hold")
        expect(attacked.site.executed.filter((each) => !each.startsWith("POST /echo"))).toEqual(["GET /hold"])
      }, { policy: { timeout: 20_000, newConnectionGrace: 10_000 } }))

    it("mutations of what is valid are answered or refused, and never leave a connection behind", () => {
      const seed = Number(process.env["SEED"] ?? Math.floor(Math.random() * 2 ** 31))
      return withAttackedSite(kind, async (attacked) => {
        const next = random(seed)
        const all: Array<number> = []
        for (let round = 0; round < 8; round++) {
          await Promise.all(Array.from({ length: 25 }, async () => {
            const sent = mutated(next)
            const raw = await attacked.attacker({ keepHalfOpen: true })
            await raw.write(sent)
            raw.halfClose()
            await waitFor(
              () => `the end of ${JSON.stringify(sent.toString("latin1"))} (seed ${seed})`,
              () => raw.ending !== "open",
              limit
            )
            const { responses } = raw.parsed()
            const statuses = responses.map(({ status }) => status)
            all.push(...statuses)
            expect(
              statuses.every((status) => [200, 400, 413, 417, 431, 499, 500, 501].includes(status)),
              JSON.stringify({
                seed,
                statuses
              })
            ).toBe(true)
            raw.leave()
          }))
        }
        // both have been tried: what is still valid, and what is not
        expect({ seed, answered: all.includes(200), refused: all.includes(400) })
          .toEqual({ seed, answered: true, refused: true })
        await attacked.honest.served(3, limit)
        const { report } = await attacked.shutdown()
        expect(report).toMatchObject({ outcome: "Drained", cut: [], forceClosed: [] })
      })
    })
  })
}
