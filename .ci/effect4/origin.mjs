/**
 * Where in the sources what was written for Effect 4 comes from. `node .ci/effect4/origin.mjs FILE:LINE:COLUMN` says it for
 * a place in the tree.
 */
import * as Fs from "node:fs"
import * as Path from "node:path"
import { fileURLToPath } from "node:url"
import { positionOf } from "./edited.mjs"
import { overlay, ported, root } from "./port.mjs"

/** What a file of the tree was made of: its source, and the offset there for each offset in the file. */
const madeOf = (file, sources) => {
  const laidOver = Path.join(overlay, file)
  if (Fs.existsSync(laidOver)) {
    return { source: Path.relative(root, laidOver), text: Fs.readFileSync(laidOver, "utf8"), originOf: (at) => at }
  }
  const source = Path.join(sources, file)
  if (!Fs.existsSync(source)) return undefined
  const text = Fs.readFileSync(source, "utf8")
  const { origins } = ported(file, text)
  return { source: file, text, originOf: (at) => origins[at] ?? text.length }
}

/** `FILE:LINE:COLUMN` of the source, for an offset in a file of the tree. */
export const originOf = (file, offset, sources = root) => {
  const made = madeOf(file, sources)
  if (made === undefined) return undefined
  const { column, line } = positionOf(made.text, made.originOf(offset))
  return `${made.source}:${line}:${column}`
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const tree = Path.join(root, ".out/effect4")
  const [, path = "", line, column] = /^(.*?)(?::(\d+))?(?::(\d+))?$/.exec(process.argv[2] ?? "") ?? []
  const file = Path.relative(
    tree,
    Path.resolve(Fs.existsSync(path) && Path.resolve(path).startsWith(tree) ? path : Path.join(tree, path))
  )
  const lines = Fs.readFileSync(Path.join(tree, file), "utf8").split("\n")
  const offset = lines.slice(0, Number(line ?? 1) - 1).join("\n").length + (Number(line ?? 1) > 1 ? 1 : 0) +
    Number(column ?? 1) - 1
  console.log(originOf(file, offset) ?? `${file} is not made of a source`)
}
