import { existsSync, mkdirSync, mkdtempSync, rmSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { defineConfig } from "vitest/config"

const root = fileURLToPath(new URL("./", import.meta.url))
const src = `${root}src/`
const out = `${root}.out/`

/**
 * What measures time, CPU time or memory, sends a crowd within milliseconds, or looks at what no server may have left in
 * its process: such a file has the machine for itself. They run one after the other, after the rest.
 */
const alone = [
  "test/company/oneCtrlC.test.ts",
  "test/examples.test.ts",
  "test/others/passedOn.test.ts",
  "test/rules/eventLoop.test.ts",
  "test/rules/hotPathBudget.test.ts",
  "test/scenarios/acceptQueue.test.ts",
  "test/scenarios/busyKeepAlive.test.ts",
  "test/telemetry/hotPath.test.ts",
  "test/telemetry/readmeLog.test.ts"
]

/**
 * What is a proof rather than a test, and takes long: many rounds, random histories, floods, long stories, and whatever is
 * held against the stock server. `npm run test:proofs`, one file after the other.
 */
const proofs = [
  "test/demo.test.ts",
  "test/handoff/failures.test.ts",
  "test/handoff/lossless.test.ts",
  "test/handoff/triggers.test.ts",
  "test/handoff/workers.test.ts",
  "test/handoff/workersSignals.test.ts",
  "test/hostile/flood.test.ts",
  "test/hostile/memory.test.ts",
  "test/hostile/onePipeline.test.ts",
  "test/hostile/oneSession.test.ts",
  "test/model/model.test.ts",
  "test/nodeHttpServer/sameAborts.test.ts",
  "test/nodeHttpServer/sameAsStock.test.ts",
  "test/nodeHttpServer/sameErrors.test.ts",
  "test/nodeHttpServer/sameResponses.test.ts",
  "test/rolling/rolling.test.ts",
  "test/rules/cycles.test.ts",
  "test/scenarios/connectionPerRequest.test.ts",
  "test/scenarios/idleBurst.test.ts",
  "test/scenarios/promised.test.ts",
  "test/soak/company.test.ts",
  "test/soak/soak.test.ts",
  "test/stock/stock.test.ts"
]

for (const file of [...alone, ...proofs]) {
  if (!existsSync(root + file)) throw new Error(`vitest.config.ts names ${file}, which is not there`)
}

/** What says how requests are served, interrupted, drained and cut: all of it holds without the fast path, too. */
const bothWays = ["conformance", "eventStreams", "nodeHttpServer", "protocols", "rules", "scenarios", "upgrades"]

/** Projects of one file each run one after the other: vitest has one pool for all that run at once. */
const oneByOne = (kind: string, files: ReadonlyArray<string>, first: number) =>
  files.map((file, nth) => ({
    extends: true as const,
    test: {
      name: `${kind}-${file.replace(/^test\//, "").replace(/\.test\.ts$/, "").replaceAll("/", "-")}`,
      include: [file],
      sequence: { groupOrder: first + nth }
    }
  }))

// Where the processes that tests start have their programs; see test/support/bundle.ts.
if (process.env["FIXTURES"] === undefined) {
  mkdirSync(out, { recursive: true })
  const fixtures = mkdtempSync(`${out}fixtures-`)
  process.env["FIXTURES"] = fixtures
  process.once("exit", () => rmSync(fixtures, { recursive: true, force: true }))
}

/** For CI: where the results are written to, as JSON. */
const results = process.env["TEST_RESULTS"]

export default defineConfig({
  resolve: {
    alias: [
      { find: /^quiesce$/, replacement: `${src}index.ts` },
      { find: /^quiesce\/(.+)$/, replacement: `${src}$1.ts` }
    ]
  },
  test: {
    // Tests mostly wait, so that more of them run at once than a small machine has cores. Their processes are shared:
    // each would spend more time on loading Effect than on its tests. What speaks of a whole process starts one.
    // As many at the least as at the most: a worker that is ended for being idle may just have been given a file.
    pool: "forks",
    poolOptions: { forks: { isolate: false, minForks: 5, maxForks: 5 } },
    // A test that passes only on the second try has failed.
    retry: 0,
    // servers log how they stop: of interest where a test has failed
    silent: "passed-only",
    testTimeout: 20_000,
    hookTimeout: 20_000,
    reporters: results === undefined ? ["default"] : ["default", ["json", { outputFile: results }]],
    projects: [
      {
        extends: true,
        test: {
          name: "tests",
          include: ["test/**/*.test.ts"],
          exclude: ["**/node_modules/**", ...alone, ...proofs],
          sequence: { groupOrder: 0 }
        }
      },
      ...oneByOne("alone", alone, 100),
      ...oneByOne("proofs", proofs, 200),
      {
        extends: true,
        test: {
          name: "proofs-without-the-fast-path",
          include: bothWays.map((folder) => `test/${folder}/**/*.test.ts`),
          exclude: ["**/node_modules/**", ...alone, ...proofs],
          env: { QUIESCE_FAST_PATH: "off" },
          sequence: { groupOrder: 300 }
        }
      }
    ]
  }
})
