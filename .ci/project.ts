/** What the checks have to know about the project: where it is, its public modules, its documentation as text. */
import * as Fs from "node:fs"
import * as Path from "node:path"
import { fileURLToPath } from "node:url"
import * as Ts from "typescript"

export const root = fileURLToPath(new URL("..", import.meta.url))

export interface PackageJson {
  readonly name: string
  readonly version: string
  readonly files: ReadonlyArray<string>
  readonly exports: Readonly<Record<string, { readonly types: string; readonly default: string } | string | null>>
  readonly peerDependencies: Readonly<Record<string, string>>
  readonly peerDependenciesMeta?: Readonly<Record<string, { readonly optional?: boolean }>>
}

export const packageJson = JSON.parse(Fs.readFileSync(Path.join(root, "package.json"), "utf8")) as PackageJson

/** The public modules, as paths from the root: every file at the top of `src`. */
export const publicModules = (tree = root): ReadonlyArray<string> =>
  Fs.existsSync(Path.join(tree, "src"))
    ? Fs.readdirSync(Path.join(tree, "src")).filter((name) => name.endsWith(".ts")).sort().map((name) => `src/${name}`)
    : []

/** Every source, as a path from the root: what a public module exports may be documented in another room. */
export const sources = (tree = root): ReadonlyArray<string> =>
  Fs.existsSync(Path.join(tree, "src"))
    ? Fs.readdirSync(Path.join(tree, "src"), { recursive: true, encoding: "utf8" })
      .filter((name) => name.endsWith(".ts"))
      .sort()
      .map((name) => `src/${name.replaceAll(Path.sep, "/")}`)
    : []

export const readConfig = (tree = root): Ts.ParsedCommandLine => {
  const file = Path.join(tree, "tsconfig.json")
  const read = Ts.readConfigFile(file, (path) => Ts.sys.readFile(path))
  if (read.error) throw new Error(Ts.flattenDiagnosticMessageText(read.error.messageText, "\n"))
  return Ts.parseJsonConfigFileContent(read.config, Ts.sys, tree)
}

export interface CodeBlock {
  /** What follows the fence: `ts`, `bash`, … */
  readonly info: string
  /** The line of the first line of code, counted from 1. */
  readonly line: number
  readonly code: string
}

/** The fenced blocks of a Markdown text, also those indented in a list or in a docstring. */
export const codeBlocks = (text: string): ReadonlyArray<CodeBlock> => {
  const blocks: Array<CodeBlock> = []
  let open: { readonly fence: string; readonly info: string; readonly line: number } | undefined
  let code: Array<string> = []
  for (const [index, line] of text.split("\n").entries()) {
    const [, fence, info] = /^\s*(`{3,}|~{3,})\s*(.*?)\s*$/.exec(line) ?? []
    if (open === undefined) {
      if (fence === undefined) continue
      open = { fence, info: info ?? "", line: index + 2 }
      code = []
    } else if (fence !== undefined && info === "" && fence.startsWith(open.fence)) {
      blocks.push({ info: open.info, line: open.line, code: code.join("\n") + "\n" })
      open = undefined
    } else {
      code.push(line)
    }
  }
  if (open !== undefined) throw new Error(`the code block that begins at line ${open.line - 1} has no end`)
  return blocks
}

/** The docstrings of a TypeScript text. Their stars are spaces here, so that lines and columns stay what they were. */
export const docComments = (text: string): ReadonlyArray<{ readonly line: number; readonly text: string }> =>
  [...text.matchAll(/\/\*\*[\s\S]*?\*\//g)].map((match) => ({
    line: text.slice(0, match.index).split("\n").length,
    text: match[0]
      .replace(/^\/\*\*/, "   ")
      .replace(/\*\/$/, "  ")
      .replaceAll(/^(\s*)\*/gm, "$1 ")
  }))
