/**
 * The package of the line for Effect 4, as it is packed: in `package`, beside the tree that it is made from.
 */
import * as Fs from "node:fs"
import * as Path from "node:path"
import { build } from "../build.mjs"
import { manifest } from "./manifest.mjs"
import { portedDocument, root, walk } from "./port.mjs"
import { withoutMap } from "./sourceMap.mjs"

const json = (file) => JSON.parse(Fs.readFileSync(Path.join(root, file), "utf8"))

/** Writes it, compiles it, and says where it is. */
export const buildPackage = async (tree) => {
  const out = Path.join(tree, "package")
  Fs.rmSync(out, { recursive: true, force: true })
  const described = manifest()
  for (const name of described.files.filter((name) => !name.startsWith("!"))) {
    const ofTree = Path.join(tree, name)
    const from = Fs.existsSync(ofTree) ? ofTree : Path.join(root, name)
    if (name === "dist") continue
    for (const path of Fs.statSync(from).isDirectory() ? walk(from) : [from]) {
      const file = Path.join(name, Path.relative(from, path))
      const to = Path.join(out, file)
      Fs.mkdirSync(Path.dirname(to), { recursive: true })
      if (path.endsWith(".ts")) Fs.writeFileSync(to, withoutMap(Fs.readFileSync(path, "utf8")))
      else if (path.endsWith(".md")) Fs.writeFileSync(to, portedDocument(file, Fs.readFileSync(path, "utf8")).text)
      else Fs.copyFileSync(path, to)
    }
  }
  Fs.writeFileSync(Path.join(out, "package.json"), `${JSON.stringify(described, null, 2)}\n`)
  const { paths: _, plugins: __, ...options } = json("tsconfig.json").compilerOptions
  const compilerOptions = { ...options, ...json("tsconfig.build.json").compilerOptions }
  Fs.writeFileSync(Path.join(out, "tsconfig.json"), JSON.stringify({ compilerOptions, include: ["src"] }, null, 2))
  await build(out, "tsconfig.json")
  return out
}
