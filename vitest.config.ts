import { mkdirSync, mkdtempSync, rmSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { defineConfig } from "vitest/config"

const src = fileURLToPath(new URL("./src/", import.meta.url))
const out = fileURLToPath(new URL("./.out/", import.meta.url))

// Where the processes that tests start have their programs; see test/support/bundle.ts.
if (process.env["FIXTURES"] === undefined) {
  mkdirSync(out, { recursive: true })
  const fixtures = mkdtempSync(`${out}fixtures-`)
  process.env["FIXTURES"] = fixtures
  process.once("exit", () => rmSync(fixtures, { recursive: true, force: true }))
}

export default defineConfig({
  resolve: {
    alias: [
      { find: /^quiesce$/, replacement: `${src}index.ts` },
      { find: /^quiesce\/(.+)$/, replacement: `${src}$1.ts` }
    ]
  },
  test: {
    include: ["test/**/*.test.ts"],
    pool: "forks",
    poolOptions: { forks: { minForks: 1, maxForks: 2 } },
    retry: 0,
    silent: "passed-only",
    testTimeout: 20_000,
    hookTimeout: 20_000,
    reporters: process.env["CI"] ? ["default", ["json", { outputFile: ".out/vitest.json" }]] : ["default"]
  }
})
