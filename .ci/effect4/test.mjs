/**
 * npm run effect4:test: the tests on Effect 4, in the tree that it writes for them; what follows is told to vitest. A test
 * of Effect 3 that is neither ported nor named in `leftOut.json` fails it.
 */
import { spawnSync } from "node:child_process"
import * as Fs from "node:fs"
import * as Path from "node:path"
import { isLeftOut, leftOut, overlay, titlesOf, walk } from "./port.mjs"
import { checkTypes, out, root, writeAll } from "./tree.mjs"

const [major, minor] = process.versions.node.split(".").map(Number)
if (major < 22 || (major === 22 && minor < 19)) {
  console.error(
    `Effect 4 needs Node 22.19 or newer, and this is ${process.versions.node}: put a newer one first on the PATH`
  )
  process.exit(1)
}

const own = process.argv.slice(2)
/** Without an argument: all but the proofs, as `npm test` of Effect 3. */
const isWhole = own.length === 0

writeAll()
if (isWhole) checkTypes()

/** The test files of Effect 3. */
const files = [...walk(Path.join(root, "test"))]
  .map((path) => Path.relative(root, path))
  .filter((file) => file.endsWith(".test.ts"))
const problems = []
const titlesIn = (file) => titlesOf(Fs.readFileSync(file, "utf8"))
for (const file of files) {
  const byHand = Path.join(overlay, file)
  if (isLeftOut(file) || !Fs.existsSync(byHand)) continue
  const known = [...titlesIn(byHand), ...leftOut.flatMap(({ path, tests }) => path === file ? tests ?? [] : [])]
  for (const title of titlesIn(Path.join(root, file))) {
    if (!known.includes(title)) {
      problems.push(`${Path.relative(root, byHand)} has no test ${JSON.stringify(title)}, and nothing says why`)
    }
  }
}

const results = Path.resolve(process.env.TEST_RESULTS ?? Path.join(root, ".out/effect4.vitest.json"))
Fs.rmSync(results, { force: true })
const projects = own.some((argument) => argument.startsWith("--project")) ? [] : ["--project=!proofs-*"]
const vitest = Path.join(out, "node_modules/vitest/vitest.mjs")
const { status } = spawnSync(process.execPath, [vitest, "run", ...projects, ...own], {
  cwd: out,
  stdio: "inherit",
  env: { ...process.env, TEST_RESULTS: results }
})

if (isWhole) {
  const run = JSON.parse(Fs.readFileSync(results, "utf8"))
  const ran = run.testResults.map(({ name }) => Path.relative(out, name))
  const [, proofs] = /^const proofs = \[\n([\s\S]*?)^\]/m.exec(
    Fs.readFileSync(Path.join(out, "vitest.config.ts"), "utf8")
  )
  for (const file of files) {
    if (isLeftOut(file) || ran.includes(file) || proofs.includes(`"${file}"`)) continue
    problems.push(`${file} was not run, and leftOut.json does not name it`)
  }
  const [wholeFiles, single] = [files.filter(isLeftOut).length, leftOut.flatMap(({ tests }) => tests ?? []).length]
  console.log(
    `On Effect 4 ${run.numPassedTests} tests have passed, ${run.numFailedTests} failed and ${run.numPendingTests} were `
      + `skipped, in ${ran.length} files; of Effect 3's, ${wholeFiles} files and ${single} tests are left out`
  )
}
for (const problem of problems) console.error(problem)
process.exitCode = problems.length > 0 ? 1 : status ?? 1
