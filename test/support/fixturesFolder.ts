/**
 * Where the processes that are started here have their programs, see bundle.ts.
 */
import { mkdirSync, mkdtempSync, rmSync } from "node:fs"
import { fileURLToPath } from "node:url"

/** For whoever starts fixtures often. The folder is gone when this process ends. */
export const makeFixturesFolder = (): void => {
  if (process.env["FIXTURES"] !== undefined) return
  const out = fileURLToPath(new URL("../../.out/", import.meta.url))
  mkdirSync(out, { recursive: true })
  const fixtures = mkdtempSync(`${out}fixtures-`)
  process.env["FIXTURES"] = fixtures
  process.once("exit", () => rmSync(fixtures, { recursive: true, force: true }))
}
