/**
 * How far the sources for Effect 4 are from those for Effect 3, beyond what the table of names and the tool say of
 * themselves.
 *
 * Counted in lines of code, without comments and empty lines. A file that is laid over is compared with its source as the
 * tool would write it; a line that only one of the two has counts, and one that stands in the place of another counts once.
 * All of a file counts that only one of the two trees has. The fast path of requests is not there on purpose, and is not
 * counted: on Effect 4 requests go the platform's own way.
 */
import { spawnSync } from "node:child_process"
import * as Fs from "node:fs"
import * as Os from "node:os"
import * as Path from "node:path"
import { fileURLToPath } from "node:url"
import ts from "typescript"
import { isLeftOut, overlay, port, root, walk } from "./port.mjs"

/** What may differ, of all lines. */
const most = 0.05

const onPurpose = "src/internal/http/fastPath/"

/** A text without comments, as its lines of code. */
const codeLines = (text) => {
  const source = ts.createSourceFile("file.ts", text, ts.ScriptTarget.Latest, true)
  const lines = new Map()
  const visit = (node) => {
    if (ts.isJSDoc(node) || node.getWidth(source) === 0) return
    if (node.getChildCount(source) > 0) return node.getChildren(source).forEach(visit)
    const first = source.getLineAndCharacterOfPosition(node.getStart(source)).line
    for (const [at, words] of node.getText(source).split("\n").entries()) {
      lines.set(first + at, `${lines.get(first + at) ?? ""} ${words}`)
    }
  }
  visit(source)
  return [...lines].sort(([a], [b]) => a - b).map(([, words]) => words.trim())
}

/** How many lines differ: one that stands in the place of another is one. */
const differing = (a, b) => {
  const directory = Fs.mkdtempSync(Path.join(Os.tmpdir(), "quiesce-drift-"))
  try {
    for (const [name, lines] of [["a", a], ["b", b]]) {
      Fs.writeFileSync(Path.join(directory, name), lines.map((line) => `${line}\n`).join(""))
    }
    const { status, stdout } = spawnSync("git", ["diff", "--no-index", "--numstat", "--minimal", "a", "b"], {
      cwd: directory,
      encoding: "utf8"
    })
    if (status !== 0 && status !== 1) throw new Error("git diff failed")
    const [added = "0", removed = "0"] = stdout.split("\t")
    return Math.max(Number(added), Number(removed))
  } finally {
    Fs.rmSync(directory, { recursive: true })
  }
}

/** The lines of the sources, and how many of them differ in which file. */
export const drift = () => {
  const files = [...walk(Path.join(root, "src"))].map((path) => Path.relative(root, path))
  const laidOver = [...walk(Path.join(overlay, "src"))].map((path) => Path.relative(overlay, path))
  const read = (path) => Fs.readFileSync(path, "utf8")
  let all = 0
  const differences = []
  for (const file of new Set([...files, ...laidOver])) {
    if (file.startsWith(onPurpose)) continue
    const source = files.includes(file) ? codeLines(port(file, read(Path.join(root, file)))) : []
    all += source.length
    const isOver = laidOver.includes(file)
    if (!isOver && !isLeftOut(file)) continue
    const lines = isOver ? differing(source, codeLines(read(Path.join(overlay, file)))) : source.length
    if (lines > 0) differences.push({ file, lines })
  }
  return { all, differences: differences.sort((a, b) => b.lines - a.lines) }
}

/** Says it, and whether it is too much. */
export const tellDrift = () => {
  const { all, differences } = drift()
  if (differences.length === 0) throw new Error("nothing differs: this compares nothing")
  const sum = differences.reduce((total, { lines }) => total + lines, 0)
  const percent = `${(100 * sum / all).toFixed(1)} %`
  const isTooMuch = sum > most * all
  if (isTooMuch) { for (const { file, lines } of differences) console.error(`${String(lines).padStart(5)} ${file}`) }
  console.log(
    `${sum} of ${all} lines of code differ between Effect 3 and 4 beyond names: ${percent} (at most ${100 * most} %)`
  )
  return isTooMuch
}

if (process.argv[1] === fileURLToPath(import.meta.url)) process.exitCode = tellDrift() ? 1 : 0
