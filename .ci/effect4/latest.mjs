/**
 * npm run effect4:latest [-- VERSION]: what breaks with another release of Effect than the one that the peers name, the
 * newest one where none is given: types, the exports and options of the platform's server, and the build. It changes
 * nothing but `.out/effect4-latest`.
 */
import { execFileSync } from "node:child_process"
import * as Fs from "node:fs"
import * as Path from "node:path"
import { peers } from "./manifest.mjs"
import { buildPackage } from "./package.mjs"
import { differences } from "./parity.mjs"
import { root, writeTree } from "./port.mjs"
import { typeErrors } from "./types.mjs"

const tree = Path.join(root, ".out/effect4-latest")
const wanted = process.argv[2] ?? "latest"
const json = (file) => JSON.parse(Fs.readFileSync(file, "utf8"))
const types = json(Path.join(root, "package.json")).devDependencies["@types/node"]

Fs.rmSync(tree, { recursive: true, force: true })
Fs.mkdirSync(tree, { recursive: true })
Fs.writeFileSync(
  Path.join(tree, "package.json"),
  JSON.stringify({ private: true, type: "module", overrides: { "@types/node": types } })
)
const packages = ["effect", "@effect/platform-node", "@effect/platform-node-shared"].map((name) => `${name}@${wanted}`)
execFileSync("npm", ["install", "--silent", "--no-audit", "--no-fund", ...packages, `@types/node@${types}`], {
  cwd: tree,
  stdio: "inherit"
})
const installed = ["effect", "@effect/platform-node"].map((name) => {
  const { version } = json(Path.join(tree, "node_modules", name, "package.json"))
  return `${name} ${version} (the peers say ${peers[name]})`
})
console.log(installed.join("\n"))

writeTree(tree, ["src", "examples"])
const { paths: _, plugins: __, ...compilerOptions } = json(Path.join(root, "tsconfig.json")).compilerOptions
Fs.writeFileSync(Path.join(tree, "tsconfig.json"), JSON.stringify({ compilerOptions, include: ["src"] }, null, 2))

const broken = []
const check = (name, problems) => {
  for (const problem of problems) console.error(problem)
  console.log(`${name}: ${problems.length === 0 ? "as before" : `${problems.length} problems`}`)
  if (problems.length > 0) broken.push(name)
}
check("types", typeErrors(tree))
check("exports and options of the platform's server", differences(tree))
if (broken.length === 0) {
  await buildPackage(tree)
  console.log("build: as before")
}
console.log(broken.length === 0 ? "nothing broke" : `broken: ${broken.join(", ")}`)
process.exitCode = broken.length === 0 ? 0 : 1
