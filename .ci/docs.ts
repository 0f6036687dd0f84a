/**
 * Type-checks what the documentation tells people to write: every `ts` block of README.md, of the pages of docs and of
 * the docstrings of the sources, each as a module of its own, with the options of the project. With `--effect4`, as it is
 * written for Effect 4, in the tree that `npm run effect4` makes. A block `ts effect3` or `ts effect4` is of that line only.
 *
 * A block is written to `.out/code-blocks`, on the line and at the column it has in its source, so that a diagnostic needs
 * only another file name to point at the line that a person has to mend.
 */
import * as Fs from "node:fs"
import * as Path from "node:path"
import * as Ts from "typescript"
import { codeBlocks, docComments, readConfig, root, sources } from "./project.js"

/** A text that was written from another, and for each of its characters the offset there. */
interface Written {
  readonly text: string
  readonly origins?: ReadonlyArray<number>
}

interface Port {
  readonly overlay: string
  readonly ported: (file: string, text: string) => Written
  readonly portedDocument: (file: string, text: string) => Written
}

const effect4 = process.argv.includes("--effect4")
  ? await import(new URL("effect4/port.mjs", import.meta.url).href) as Port
  : undefined
const tree = effect4 === undefined ? root : Path.join(root, ".out/effect4")
const out = effect4 === undefined ? Path.join(root, ".out/code-blocks") : Path.join(tree, "code-blocks")

interface Block {
  readonly source: string
  readonly line: number
  readonly code: string
  readonly written: Written
}

/** Some are of one line of Effect. */
const other = effect4 === undefined ? "effect4" : "effect3"
const isTypeScript = (info: string) => /^(ts|typescript)\b/.test(info) && !info.split(" ").includes(other)

const fromMarkdown = (source: string): ReadonlyArray<Block> => {
  const text = Fs.readFileSync(Path.join(root, source), "utf8")
  const written = effect4?.portedDocument(source, text) ?? { text }
  return codeBlocks(written.text)
    .filter((block) => isTypeScript(block.info))
    .map((block) => ({ source, line: block.line, code: block.code, written }))
}

const fromDocstrings = (source: string): ReadonlyArray<Block> => {
  const text = Fs.readFileSync(Path.join(root, source), "utf8")
  const isLaidOver = effect4 !== undefined && Path.join(root, source).startsWith(effect4.overlay)
  const written = isLaidOver ? { text } : effect4?.ported(source, text) ?? { text }
  return docComments(written.text).flatMap((comment) =>
    codeBlocks(comment.text)
      .filter((block) => isTypeScript(block.info))
      .map((block) => ({ source, line: comment.line + block.line - 1, code: block.code, written }))
  )
}

/** The sources of the line: for Effect 4 those of the tree, by the files that they are made of. */
const lineSources = (): ReadonlyArray<string> => {
  if (effect4 === undefined) return sources()
  return sources(tree).map((source) => {
    const overlay = Path.join(effect4.overlay, source)
    return Fs.existsSync(overlay) ? Path.relative(root, overlay) : source
  })
}

/** Where in its source a block has what a diagnostic points at. */
const placeOf = ({ source, written }: Block, line: number, column: number): string => {
  if (written.origins === undefined) return `${source}:${line + 1}:${column + 1}`
  const offset = written.text.split("\n").slice(0, line).reduce((sum, { length }) => sum + length + 1, column)
  const before = Fs.readFileSync(Path.join(root, source), "utf8").slice(0, written.origins[offset])
  return `${source}:${before.split("\n").length}:${before.length - before.lastIndexOf("\n")}`
}

/** What the tests are run with, here and by a newcomer. */
const hasTestLine = codeBlocks(Fs.readFileSync(Path.join(root, "README.md"), "utf8"))
  .some(({ code, info }) => info === "bash" && /^npm ci && npm test$/m.test(code))
if (!hasTestLine) {
  console.error("README.md: no bash block has the line `npm ci && npm test`, by which a newcomer runs the tests")
  process.exitCode = 1
}

Fs.rmSync(out, { recursive: true, force: true })
Fs.mkdirSync(out, { recursive: true })

const pages = Fs.readdirSync(Path.join(root, "docs")).filter((name) => name.endsWith(".md")).map((name) =>
  `docs/${name}`
)
const files = ["README.md", ...pages, ...lineSources()].filter((source) => Fs.existsSync(Path.join(root, source)))
const blocks = files.flatMap((source) => source.endsWith(".md") ? fromMarkdown(source) : fromDocstrings(source))
const byFile = new Map<string, Block>()
for (const block of blocks) {
  const file = Path.join(out, `${block.source.replaceAll(/[^A-Za-z0-9]+/g, "-")}-${block.line}.ts`)
  Fs.writeFileSync(file, "\n".repeat(block.line - 1) + block.code)
  byFile.set(file, block)
}

const config = readConfig(tree)
const program = Ts.createProgram([...byFile.keys()], {
  ...config.options,
  // An example may show a value that it has no further use for.
  noUnusedLocals: false,
  noUnusedParameters: false
})

const failing = new Set<Block>()
for (const diagnostic of Ts.getPreEmitDiagnostics(program)) {
  const message = Ts.flattenDiagnosticMessageText(diagnostic.messageText, "\n  ")
  const block = diagnostic.file === undefined ? undefined : byFile.get(Path.normalize(diagnostic.file.fileName))
  if (diagnostic.file !== undefined && block !== undefined) {
    failing.add(block)
    const { character, line } = diagnostic.file.getLineAndCharacterOfPosition(diagnostic.start ?? 0)
    console.error(`${placeOf(block, line, character)}: TS${diagnostic.code}: ${message}`)
  } else {
    // Not in a block: the sources themselves do not compile, which the type check reports at length.
    const file = diagnostic.file === undefined ? "" : `${Path.relative(root, diagnostic.file.fileName)}: `
    console.error(`${file}TS${diagnostic.code}: ${message}`)
    process.exitCode = 1
  }
}

if (failing.size > 0) process.exitCode = 1
console.log(`${blocks.length} code blocks in ${files.length} files, ${failing.size} do not compile`)
