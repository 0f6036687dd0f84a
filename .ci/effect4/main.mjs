/**
 * npm run effect4: writes the sources and the tests for Effect 4 to `.out/effect4`, and checks their types against it.
 */
import * as Path from "node:path"
import { differences } from "./parity.mjs"
import { checkTypes, out, root, writeAll } from "./tree.mjs"

writeAll()
checkTypes()
const missing = differences(out)
if (missing.length > 0) {
  console.error(`What differs from @effect/platform-node:\n${missing.map((line) => `  ${line}`).join("\n")}`)
  process.exit(1)
}
console.log(`The sources for Effect 4 are in ${Path.relative(root, out)}, and their types are right`)
