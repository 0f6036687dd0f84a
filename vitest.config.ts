import { existsSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { defineConfig } from "vitest/config"
import { makeFixturesFolder } from "./test/support/fixturesFolder.js"

const root = fileURLToPath(new URL("./", import.meta.url))
const src = `${root}src/`

/**
 * What measures time, CPU time or memory, sends a crowd within milliseconds, or looks at what no server may have left in
 * its process: such a file has the machine for itself. They run one after the other, after the rest.
 */
const alone = [
  "test/adversarial/http2/manySessions.test.ts",
  "test/adversarial/otherCode/oneCtrlC.test.ts",
  "test/adversarial/sharedSockets/passedOn.test.ts",
  "test/check/check.test.ts",
  "test/conformance/guarantees/connectionHeap.test.ts",
  "test/conformance/guarantees/eventLoop.test.ts",
  "test/conformance/guarantees/hotPathBudget.test.ts",
  "test/e2e/examples/examples.test.ts",
  "test/modules/telemetry/hotPath.test.ts",
  "test/modules/telemetry/readmeLog.test.ts",
  "test/scenarios/acceptQueue.test.ts",
  "test/scenarios/busyKeepAlive.test.ts"
]

/**
 * What is a proof rather than a test, and takes long: many rounds, random histories, floods, long stories, and whatever is
 * held against the stock server. `npm run test:proofs`, those of a line at once, and one line after the other.
 */
const proofs = [
  ["test/adversarial/http1/onePipeline.test.ts"],
  ["test/adversarial/http2/oneSession.test.ts"],
  ["test/adversarial/resources/flood.test.ts"],
  ["test/adversarial/resources/memory.test.ts"],
  ["test/check/repeats.test.ts"],
  ["test/check/scenarios.test.ts"],
  ["test/conformance/guarantees/cycles.test.ts"],
  ["test/conformance/stock/kept.test.ts"],
  ["test/conformance/stock/sameAsStock.test.ts", "test/e2e/handoff/workersSignals.test.ts"],
  ["test/conformance/stock/sameAborts.test.ts", "test/e2e/handoff/triggers.test.ts"],
  ["test/conformance/stock/sameErrors.test.ts", "test/conformance/stock/sameResponses.test.ts"],
  ["test/conformance/stock/stock.test.ts"],
  ["test/e2e/clients/adminPage.test.ts", "test/e2e/handoff/plain.test.ts"],
  ["test/e2e/examples/demo.test.ts"],
  ["test/e2e/examples/prometheus.test.ts", "test/e2e/queue/accepted.test.ts"],
  ["test/e2e/handoff/failures.test.ts", "test/e2e/handoff/workers.test.ts"],
  ["test/e2e/handoff/lossless.test.ts"],
  ["test/e2e/rolling/rolling.test.ts"],
  ["test/property/model.test.ts"],
  ["test/scenarios/connectionPerRequest.test.ts"],
  ["test/scenarios/idleBurst.test.ts"],
  ["test/scenarios/keepAlivePromise.test.ts"],
  ["test/soak/company.test.ts"],
  ["test/soak/soak.test.ts"]
]

/** Proofs that CI has no time for: with `RELEASE=1`, as others then take more rounds. */
const beforeRelease = ["test/check/scenarios.test.ts", "test/e2e/examples/demo.test.ts"]
const isRelease = process.env["RELEASE"] !== undefined

for (const file of [...alone, ...proofs.flat()]) {
  if (!existsSync(root + file)) throw new Error(`vitest.config.ts names ${file}, which is not there`)
}

/**
 * What says how requests are served, interrupted, drained and cut: all of it holds without the fast path, too. CI plays it
 * on Node 22, with the variable in the environment; so does `RELEASE=1 npm run test:proofs`.
 */
const bothWays = ["conformance", "modules/nodeHttpServer", "scenarios"]

const nameOf = (file = ""): string => file.replace(/^test\//, "").replace(/\.test\.ts$/, "").replaceAll("/", "-")

/** A project for each line, which has the machine for itself: vitest takes the groups in turn. */
const inTurn = (kind: string, lines: ReadonlyArray<ReadonlyArray<string>>, first: number) =>
  lines.filter((files) => files.length > 0).map((files, nth) => ({
    extends: true as const,
    test: {
      name: `${kind}-${nameOf(files[0])}`,
      include: [...files],
      sequence: { groupOrder: first + nth }
    }
  }))

const withoutFastPath = {
  extends: true as const,
  test: {
    name: "proofs-without-the-fast-path",
    include: bothWays.map((folder) => `test/${folder}/**/*.test.ts`),
    exclude: ["**/node_modules/**", ...alone, ...proofs.flat()],
    env: { QUIESCE_FAST_PATH: "off" },
    sequence: { groupOrder: 300 }
  }
}

makeFixturesFolder()

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
    // only for a test that hangs outside of its waits (`test/support/wait.ts`), which have limits of their own
    testTimeout: 60_000,
    hookTimeout: 60_000,
    reporters: results === undefined ? ["default"] : ["default", ["json", { outputFile: results }]],
    projects: [
      {
        extends: true,
        test: {
          name: "tests",
          include: ["test/**/*.test.ts"],
          exclude: ["**/node_modules/**", ...alone, ...proofs.flat()],
          sequence: { groupOrder: 0 }
        }
      },
      ...inTurn("alone", alone.map((file) => [file]), 100),
      ...inTurn("proofs", proofs.map((line) => line.filter((file) => isRelease || !beforeRelease.includes(file))), 200),
      ...(isRelease ? [withoutFastPath] : [])
    ]
  }
})
