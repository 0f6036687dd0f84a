import * as Fs from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { check, type Options, type Report } from "quiesce/check"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { scenarios } from "../../src/internal/check/scenario/all.js"
import { faulty, lanes, lostIn, offers, sawIn, writeCertificate } from "./servers.js"

// A server that stops well keeps every scenario, and one that has a fault loses the one that is about it, and no other: so
// that no verdict can be wrong in either direction.

const socket: ReadonlyArray<string> = ["/bin/sh", "-c", `SOCKET={socket} exec "$0" "$@"`]

let folder = ""
beforeAll(() => {
  folder = Fs.mkdtempSync(join(tmpdir(), "quiesce-check-"))
  writeCertificate(folder)
})
afterAll(() => Fs.rmSync(folder, { recursive: true, force: true }))

interface Way {
  readonly options: Partial<Options>
  readonly env?: () => Readonly<Record<string, string>>
  readonly command?: ReadonlyArray<string>
  /** The scenarios that are asked in this way and in no other. */
  readonly own: ReadonlyArray<string>
}

const ways: Readonly<Record<string, Way>> = {
  "HTTP/1.1": { options: offers, own: [] },
  "a Unix socket": { options: {}, command: socket, own: ["socket-file"] },
  TLS: { options: { tls: true }, env: () => ({ TLS: folder }), own: ["tls-handshake"] },
  "HTTP/2": { options: { h2: true }, env: () => ({ H2: "1" }), own: ["h2-goaway", "h2-in-flight", "h2-crossing"] }
}

const special = Object.values(ways).flatMap(({ own }) => own)

/** The request after one whose answer did not say close is lost: that its answer did not say so is as well. */
const also: Readonly<Record<string, ReadonlyArray<string>>> = { "next-request": ["says-close"] }

/** A crowd takes two cores for some seconds: it is asked of the faults that it could show. */
const crowds = ["busy", "connection-per-request"]
const shownByCrowds = [
  ...crowds,
  "idle-20ms",
  "idle-500ms",
  "next-request",
  "says-close",
  "first-request",
  "queue"
]

const run = (way: Way, fault?: string): Promise<Report> => {
  const locks = Fs.mkdtempSync(join(folder, "locks-"))
  return check({
    ...way.options,
    command: [...way.command ?? [], ...faulty(fault)],
    env: { LOCKS: locks, ...way.env?.() },
    skip: fault === undefined || shownByCrowds.includes(fault) ? [] : crowds,
    // the good server has ended before that
    killAfterMillis: 8000,
    parallel: 6
  })
}

/** Most of a check is waiting: two run at once, and each is right also if the other one makes it late. */
const lane = lanes(2)

for (const [name, way] of Object.entries(ways)) {
  const { own } = way
  const asked = name === "HTTP/1.1" ? scenarios.map((each) => each.name).filter((each) => !special.includes(each)) : own

  describe.concurrent(`over ${name}`, { timeout: 600_000 }, () => {
    it("a good server keeps all that is asked", () =>
      lane(async () => {
        const report = await run(way)
        const kept = report.results.filter(({ verdict }) => verdict === "kept").map(({ name }) => name)
        expect(kept, sawIn(report)).toEqual(expect.arrayContaining([...asked]))
        expect(report, sawIn(report)).toMatchObject({ lost: 0, exitCode: 0 })
      }))

    it.each(asked)("one with a fault loses %s alone", (fault) =>
      lane(async () => {
        const report = await run(way, fault)
        expect(lostIn(report).toSorted(), sawIn(report)).toEqual([fault, ...also[fault] ?? []].toSorted())
        expect(report.results.filter(({ unasked }) => unasked === "failed"), sawIn(report)).toEqual([])
        expect(report.exitCode).toBe(1)
      }))
  })
}
