/**
 * npm run effect4: writes the sources and the tests for Effect 4 to `.out/effect4`, and checks their types against it.
 */
import * as Path from "node:path"
import { checkTypes, out, root, writeAll } from "./tree.mjs"

writeAll()
checkTypes()
console.log(`The sources for Effect 4 are in ${Path.relative(root, out)}, and their types are right`)
