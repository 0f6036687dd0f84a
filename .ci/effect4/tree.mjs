/**
 * The tree of Effect 4: where it is, and the packages that it is checked and tested with.
 */
import { execFileSync } from "node:child_process"
import * as Fs from "node:fs"
import * as Path from "node:path"
import { fileURLToPath } from "node:url"
import { peers } from "./manifest.mjs"
import { writeTree } from "./port.mjs"
import { typeErrors } from "./types.mjs"

export const root = fileURLToPath(new URL("../../", import.meta.url))
export const out = Path.join(root, ".out/effect4")

const json = (path) => JSON.parse(Fs.readFileSync(Path.join(root, path), "utf8"))

/** Of these there is another version for Effect 4. */
const others = { ...peers, "@effect/opentelemetry": "~4.1.0", vitest: "^5.1.2" }

/** Packages that no source and no test imports. */
const tools = /^(@arethetypeswrong\/|@dprint\/|dprint$|@effect\/|effect$|dependency-cruiser$|oxlint|publint$|typedoc$)/

/** The rest is tested in the versions that the tests of Effect 3 have. */
const devDependencies = () => {
  const { packages } = json("package-lock.json")
  const names = Object.keys(json("package.json").devDependencies).filter((name) => !tools.test(name))
  return {
    ...Object.fromEntries(names.map((name) => [name, packages[`node_modules/${name}`].version])),
    ...others
  }
}

/** Installs what has changed since it was last installed. */
const install = () => {
  const { overrides, scripts } = json("package.json")
  const manifest = JSON.stringify(
    {
      name: "quiesce-effect4",
      private: true,
      type: "module",
      // the first app, which a test starts as people do
      scripts: { start: scripts.start },
      devDependencies: devDependencies(),
      // the oldest Node that is supported says what there is
      overrides: { ...overrides, "@types/node": "$@types/node" }
    },
    null,
    2
  )
  const file = Path.join(out, "package.json")
  if (Fs.existsSync(file) && Fs.readFileSync(file, "utf8") === manifest) return
  Fs.mkdirSync(out, { recursive: true })
  Fs.writeFileSync(file, manifest)
  try {
    execFileSync("npm", ["install", "--no-audit", "--no-fund"], { cwd: out, stdio: "inherit" })
  } catch (cause) {
    Fs.rmSync(file)
    throw cause
  }
}

/** Writes all of it. */
export const writeAll = () => {
  install()
  writeTree(out, ["src", "test", "examples", "docs"])
  const { compilerOptions } = json("tsconfig.json")
  // what is unused is said of the sources: a test that is left out takes what it needs along
  const { noUnusedLocals: _, plugins: __, ...options } = compilerOptions
  Fs.writeFileSync(
    Path.join(out, "tsconfig.json"),
    JSON.stringify({ compilerOptions: options, include: ["src", "test", "examples"] }, null, 2)
  )
  // tests read them
  for (const file of ["tsconfig.build.json", "README.md"]) Fs.copyFileSync(Path.join(root, file), Path.join(out, file))
}

/** Fails where the types are not right. */
export const checkTypes = () => {
  const problems = typeErrors(out)
  if (problems.length === 0) return
  for (const problem of problems) console.error(problem)
  console.error(`${problems.length} errors in the sources for Effect 4`)
  process.exit(1)
}
