/**
 * The servers that `quiesce check` is tried on, and what of them is still there.
 */
import * as Fs from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import type { Report } from "quiesce/check"
import { certificate } from "../support/certificate.js"
import { isGone } from "../support/isGone.js"

const program = (name: string) => fileURLToPath(new URL(`./servers/${name}.mjs`, import.meta.url))

/** A good server, or one with that fault. */
export const faulty = (fault = "none"): ReadonlyArray<string> => [process.execPath, program("server"), fault]

export const behaving = (
  behaviour: string
): ReadonlyArray<string> => [process.execPath, program("behaviours"), behaviour]

/** It has all that can be asked for. */
export const offers = { slow: "/slow", big: "/big", stream: "/stream", ws: "/ws" } as const

/** A folder that is gone when the test has ended. */
export const withFolder = async <A>(use: (folder: string) => Promise<A>): Promise<A> => {
  const folder = Fs.mkdtempSync(join(tmpdir(), "quiesce-check-"))
  try {
    return await use(folder)
  } finally {
    Fs.rmSync(folder, { recursive: true, force: true })
  }
}

/** The folder has a key and a certificate. */
export const writeCertificate = (folder: string): void => {
  Fs.writeFileSync(join(folder, "key.pem"), certificate.key)
  Fs.writeFileSync(join(folder, "cert.pem"), certificate.cert)
}

/** Where processes note that they were started. */
export const pidsIn = (folder: string): string => join(folder, "pids")

export const startedIn = (folder: string): ReadonlyArray<number> =>
  Fs.existsSync(pidsIn(folder)) ? Fs.readFileSync(pidsIn(folder), "utf8").trim().split("\n").map(Number) : []

/** Those of them that have not ended. */
export const aliveIn = (folder: string): ReadonlyArray<number> => startedIn(folder).filter((pid) => !isGone(pid))

export const lostIn = (report: Report): ReadonlyArray<string> =>
  report.results.filter(({ verdict }) => verdict === "lost").map(({ name }) => name)

export const sawIn = (report: Report): string =>
  report.results.map(({ name, saw, verdict }) => `${verdict} ${name}: ${saw}`).join("\n")

/** So many of what it is given run at once; the others wait for their turn. */
export const lanes = (count: number): <A>(use: () => Promise<A>) => Promise<A> => {
  let free = count
  const waiting: Array<() => void> = []
  return async (use) => {
    if (free > 0) free--
    else await new Promise<void>((resolve) => void waiting.push(resolve))
    try {
      return await use()
    } finally {
      const next = waiting.shift()
      if (next === undefined) free++
      else next()
    }
  }
}
