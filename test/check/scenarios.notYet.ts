import * as Fs from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { check, type Options, type Report } from "quiesce/check"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { scenarios } from "../../src/internal/check/scenario/all.js"
import { common, faulty, lostIn, offers, sawIn, writeCertificate } from "./servers.js"

// A server that stops well keeps every scenario, and one that has a fault loses the one that is about it, and no other: so
// that no verdict can be wrong in either direction.

const limit = 300_000

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

const run = (way: Way, fault?: string): Promise<Report> => {
  const locks = Fs.mkdtempSync(join(folder, "locks-"))
  return check({
    ...common,
    ...way.options,
    command: [...way.command ?? [], ...faulty(fault)],
    env: { LOCKS: locks, ...way.env?.() }
  })
}

for (const [name, way] of Object.entries(ways)) {
  const { own } = way
  const asked = name === "HTTP/1.1" ? scenarios.map((each) => each.name).filter((each) => !special.includes(each)) : own

  describe(`over ${name}`, () => {
    it("a good server keeps all that is asked", async () => {
      const report = await run(way)
      expect(report.results.filter(({ name, verdict }) => verdict !== "kept" && asked.includes(name)), sawIn(report))
        .toEqual([])
      expect(lostIn(report), sawIn(report)).toEqual([])
      expect(report.exitCode).toBe(0)
    }, limit)

    it.each(asked)("one with a fault loses %s alone", async (fault) => {
      const report = await run(way, fault)
      const order = (names: ReadonlyArray<string>) => names.toSorted()
      expect(order(lostIn(report)), sawIn(report)).toEqual(order([fault, ...also[fault] ?? []]))
      expect(report.exitCode).toBe(1)
    }, limit)
  })
}
