/**
 * npm run effect4:pack: packs the line for Effect 4 that `npm run effect4` has built, and says where the tarball is. With a
 * directory, there.
 */
import { execFileSync } from "node:child_process"
import * as Path from "node:path"
import { buildPackage } from "./package.mjs"
import { out, root, writeAll } from "./tree.mjs"

writeAll()
const directory = Path.resolve(process.argv[2] ?? Path.join(root, ".out"))
const packed = execFileSync("npm", ["pack", "--json", "--pack-destination", directory], {
  cwd: await buildPackage(out),
  encoding: "utf8"
})
console.log(Path.join(directory, JSON.parse(packed)[0].filename))
