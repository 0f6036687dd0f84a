/**
 * Type-checks what the documentation tells people to write: every `ts` block of README.md, of the pages of docs and of
 * the docstrings of the sources, each as a module of its own, with the options of the project.
 *
 * A block is written to `.out/code-blocks`, on the line and at the column it has in its source, so that a diagnostic needs
 * only another file name to point at the line that a person has to mend.
 */
import * as Fs from "node:fs"
import * as Path from "node:path"
import * as Ts from "typescript"
import { codeBlocks, docComments, readConfig, root, sources } from "./project.js"

const out = Path.join(root, ".out/code-blocks")

interface Block {
  readonly source: string
  readonly line: number
  readonly code: string
}

const isTypeScript = (info: string) => /^(ts|typescript)\b/.test(info)

const fromMarkdown = (source: string): ReadonlyArray<Block> =>
  codeBlocks(Fs.readFileSync(Path.join(root, source), "utf8"))
    .filter((block) => isTypeScript(block.info))
    .map((block) => ({ source, line: block.line, code: block.code }))

const fromDocstrings = (source: string): ReadonlyArray<Block> =>
  docComments(Fs.readFileSync(Path.join(root, source), "utf8")).flatMap((comment) =>
    codeBlocks(comment.text)
      .filter((block) => isTypeScript(block.info))
      .map((block) => ({ source, line: comment.line + block.line - 1, code: block.code }))
  )

Fs.rmSync(out, { recursive: true, force: true })
Fs.mkdirSync(out, { recursive: true })

const pages = Fs.readdirSync(Path.join(root, "docs")).filter((name) => name.endsWith(".md")).map((name) =>
  `docs/${name}`
)
const files = ["README.md", ...pages, ...sources()].filter((source) => Fs.existsSync(Path.join(root, source)))
const blocks = files.flatMap((source) => source.endsWith(".md") ? fromMarkdown(source) : fromDocstrings(source))
const byFile = new Map<string, Block>()
for (const block of blocks) {
  const file = Path.join(out, `${block.source.replaceAll(/[^A-Za-z0-9]+/g, "-")}-${block.line}.ts`)
  Fs.writeFileSync(file, "\n".repeat(block.line - 1) + block.code)
  byFile.set(file, block)
}

const config = readConfig()
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
    console.error(`${block.source}:${line + 1}:${character + 1}: TS${diagnostic.code}: ${message}`)
  } else {
    // Not in a block: the sources themselves do not compile, which the type check reports at length.
    const file = diagnostic.file === undefined ? "" : `${Path.relative(root, diagnostic.file.fileName)}: `
    console.error(`${file}TS${diagnostic.code}: ${message}`)
    process.exitCode = 1
  }
}

if (failing.size > 0) process.exitCode = 1
console.log(`${blocks.length} code blocks in ${files.length} files, ${failing.size} do not compile`)
