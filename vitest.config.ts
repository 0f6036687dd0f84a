import { fileURLToPath } from "node:url"
import { defineConfig } from "vitest/config"

const src = fileURLToPath(new URL("./src/", import.meta.url))

export default defineConfig({
  resolve: {
    alias: [
      { find: /^quiesce$/, replacement: `${src}index.ts` },
      { find: /^quiesce\/(.+)$/, replacement: `${src}$1.ts` }
    ]
  },
  test: {
    include: ["test/**/*.test.ts"],
    // The tests run real servers and measure time: a process for each file, and no more of them than a small CI
    // machine has cores. A test that passes only on the second try has failed.
    pool: "forks",
    poolOptions: { forks: { minForks: 1, maxForks: 2 } },
    retry: 0,
    // servers log how they stop: of interest where a test has failed
    silent: "passed-only",
    testTimeout: 20_000,
    hookTimeout: 20_000,
    reporters: process.env["CI"] ? ["default", ["json", { outputFile: ".out/vitest.json" }]] : ["default"]
  }
})
