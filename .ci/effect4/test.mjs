/**
 * npm run effect4:test: the tests on Effect 4, in the tree that it writes for them; what follows is told to vitest.
 */
import { spawnSync } from "node:child_process"
import * as Path from "node:path"
import { out, writeAll } from "./tree.mjs"

const [major, minor] = process.versions.node.split(".").map(Number)
if (major < 22 || (major === 22 && minor < 19)) {
  console.error(
    `Effect 4 needs Node 22.19 or newer, and this is ${process.versions.node}: put a newer one first on the PATH`
  )
  process.exit(1)
}

writeAll()

const own = process.argv.slice(2)
// as `npm test` of Effect 3: the proofs are for those who ask for them
const projects = own.some((argument) => argument.startsWith("--project")) ? [] : ["--project=!proofs-*"]
const vitest = Path.join(out, "node_modules/vitest/vitest.mjs")
const { status } = spawnSync(process.execPath, [vitest, "run", ...projects, ...own], { cwd: out, stdio: "inherit" })
process.exitCode = status ?? 1
