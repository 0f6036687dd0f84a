/**
 * npm run effect4: writes the sources for Effect 4 to `.out/effect4`, and checks their types against it.
 */
import { execFileSync } from "node:child_process"
import * as Fs from "node:fs"
import * as Path from "node:path"
import { fileURLToPath } from "node:url"
import { writeTree } from "./port.mjs"

const root = fileURLToPath(new URL("../../", import.meta.url))
const out = Path.join(root, ".out/effect4")

Fs.mkdirSync(out, { recursive: true })
// the oldest Node that is supported says what there is
const types = JSON.parse(Fs.readFileSync(Path.join(root, "package.json"), "utf8")).devDependencies["@types/node"]
const dependencies = { effect: "~4.1.0", "@effect/platform-node": "~4.1.0", "@types/node": types }
const overrides = { "@types/node": types }
const manifest = JSON.stringify(
  { name: "quiesce-effect4", private: true, type: "module", dependencies, overrides },
  null,
  2
)
const manifestFile = Path.join(out, "package.json")
if (!Fs.existsSync(manifestFile) || Fs.readFileSync(manifestFile, "utf8") !== manifest) {
  Fs.writeFileSync(manifestFile, manifest)
  execFileSync("npm", ["install", "--no-audit", "--no-fund"], { cwd: out, stdio: "inherit" })
}
writeTree(out, ["src"])
const { compilerOptions } = JSON.parse(Fs.readFileSync(Path.join(root, "tsconfig.json"), "utf8"))
const { paths: _, plugins: __, ...options } = compilerOptions
Fs.writeFileSync(
  Path.join(out, "tsconfig.json"),
  JSON.stringify({ compilerOptions: options, include: ["src"] }, null, 2)
)
execFileSync(process.execPath, [Path.join(root, "node_modules/typescript/bin/tsc"), "-p", out], { stdio: "inherit" })
console.log(`The sources for Effect 4 are in ${Path.relative(root, out)}, and their types are right`)
