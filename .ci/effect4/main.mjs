/**
 * npm run effect4: writes the sources and the tests for Effect 4 to `.out/effect4`, checks their types, holds them close to
 * those for Effect 3, and builds the package.
 */
import * as Path from "node:path"
import { tellDrift } from "./drift.mjs"
import { buildPackage } from "./package.mjs"
import { differences } from "./parity.mjs"
import { checkTypes, out, root, writeAll } from "./tree.mjs"

writeAll()
checkTypes()
const missing = differences(out)
if (missing.length > 0) {
  console.error(`What differs from @effect/platform-node:\n${missing.map((line) => `  ${line}`).join("\n")}`)
  process.exit(1)
}
if (tellDrift()) process.exit(1)
const built = await buildPackage(out)
console.log(`The sources for Effect 4 are in ${Path.relative(root, out)}, and their types are right`)
console.log(`The package for Effect 4 is in ${Path.relative(root, built)}`)
