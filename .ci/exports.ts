/**
 * Holds the public surface together: package.json exports exactly the public modules, the index names them all, each
 * begins with a comment that tells its story, and every export says what it is, since when, and where it belongs. With
 * `--effect4`, that of the line for Effect 4, in the tree that `npm run effect4` makes.
 */
import * as Fs from "node:fs"
import * as Path from "node:path"
import * as Ts from "typescript"
import { packageJson, publicModules, readConfig, root } from "./project.js"

/** Where a file of the tree comes from. */
type OriginOf = (file: string, offset: number) => string | undefined

const effect4 = process.argv.includes("--effect4")
  ? await import(new URL("effect4/origin.mjs", import.meta.url).href) as { readonly originOf: OriginOf }
  : undefined
const tree = effect4 === undefined ? root : Path.join(root, ".out/effect4")

const problems: Array<string> = []
const index = "src/index.ts"
const modules = publicModules(tree)
// a module in lower case is a front door of its own, and not a part of the first one
const named = modules.filter((file) => /^[A-Z]/.test(Path.basename(file)))

const target = (file: string, ending: string) => `./dist/${Path.basename(file, ".ts")}${ending}`
for (const file of modules) {
  const subpath = file === index ? "." : `./${Path.basename(file, ".ts")}`
  const entry = packageJson.exports[subpath]
  const wanted = { types: target(file, ".d.ts"), default: target(file, ".js") }
  if (JSON.stringify(entry) !== JSON.stringify(wanted)) {
    problems.push(`package.json: exports["${subpath}"] is ${JSON.stringify(entry)}, not ${JSON.stringify(wanted)}`)
  }
}
const known = new Set(modules.map((file) => (file === index ? "." : `./${Path.basename(file, ".ts")}`)))
for (const subpath of Object.keys(packageJson.exports)) {
  if (subpath === "./package.json" || subpath === "./internal/*" || known.has(subpath)) continue
  problems.push(`package.json: exports["${subpath}"] has no module in src`)
}
if (packageJson.exports["./internal/*"] !== null) problems.push(`package.json: exports["./internal/*"] is not closed`)

const program = Ts.createProgram(modules.map((file) => Path.join(tree, file)), readConfig(tree).options)
const checker = program.getTypeChecker()

const where = (node: Ts.Node) => {
  const file = node.getSourceFile()
  const start = node.getStart(file)
  const at = file.getLineAndCharacterOfPosition(start)
  const name = Path.relative(tree, file.fileName)
  return effect4?.originOf(name, start) ?? `${name}:${at.line + 1}`
}

/** The node that carries the docstring: the statement of a variable or of `export * as`, else the declaration. */
const documented = (declaration: Ts.Node): Ts.Node => {
  if (Ts.isVariableDeclaration(declaration)) return declaration.parent.parent
  if (Ts.isNamespaceExport(declaration)) return declaration.parent
  return declaration
}

interface Docs {
  readonly text: string
  readonly tags: ReadonlyMap<string, string>
}

const docsOf = (node: Ts.Node): Docs | undefined => {
  const comment = Ts.getJSDocCommentsAndTags(node).filter(Ts.isJSDoc).at(-1)
  if (comment === undefined) return undefined
  return {
    text: (Ts.getTextOfJSDocComment(comment.comment) ?? "").trim(),
    tags: new Map((comment.tags ?? []).map((tag) => [tag.tagName.text, Ts.getTextOfJSDocComment(tag.comment) ?? ""]))
  }
}

const missing = (docs: Docs | undefined, wanted: ReadonlyArray<string>): ReadonlyArray<string> => {
  if (docs === undefined) return ["a docstring"]
  return [
    ...(docs.text === "" ? ["a description"] : []),
    ...wanted.filter((tag) => (docs.tags.get(tag) ?? "").trim() === "").map((tag) => `@${tag}`)
  ]
}

let checked = 0
const check = (symbol: Ts.Symbol, path: string, wanted: ReadonlyArray<string>): void => {
  const name = path === "" ? symbol.name : `${path}.${symbol.name}`
  // A re-export may be documented where it is re-exported or where it is declared.
  const aliased = symbol.flags & Ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : undefined
  const own = (symbol.declarations ?? []).map(documented)
  const declarations = own.some((node) => docsOf(node) !== undefined) || aliased === undefined
    ? own
    : (aliased.declarations ?? []).map(documented)
  // The overloads of a function share a docstring: the first has it. Every other declaration has its own.
  const first = declarations.find(Ts.isFunctionDeclaration)
  for (const declaration of declarations) {
    if (Ts.isFunctionDeclaration(declaration) && declaration !== first) continue
    const docs = docsOf(declaration)
    if (docs?.tags.has("internal") === true) continue
    checked++
    const lacks = missing(docs, wanted)
    if (lacks.length > 0) problems.push(`${where(declaration)}: ${name} lacks ${lacks.join(", ")}`)
  }
  for (const declaration of symbol.declarations ?? []) {
    if (!Ts.isModuleDeclaration(declaration)) continue
    for (const [, member] of symbol.exports ?? []) {
      if (member.declarations?.some((node) => isWithin(node, declaration)) === true) check(member, name, wanted)
    }
  }
}

const isWithin = (node: Ts.Node, ancestor: Ts.Node): boolean =>
  node.parent !== undefined && (node.parent === ancestor || isWithin(node.parent, ancestor))

for (const file of modules) {
  const source = program.getSourceFile(Path.join(tree, file))
  const symbol = source && checker.getSymbolAtLocation(source)
  if (source === undefined || symbol === undefined) {
    problems.push(`${file}: exports nothing`)
    continue
  }
  const exported = checker.getExportsOfModule(symbol)
  if (file === index) {
    for (const module of named) {
      const name = Path.basename(module, ".ts")
      if (!exported.some((one) => one.name === name)) problems.push(`${index}: does not export ${name}`)
    }
    for (const one of exported) check(one, "", ["since"])
    continue
  }
  // The module's own comment is the first of the file, and not the docstring of its first statement.
  const text = Fs.readFileSync(source.fileName, "utf8")
  const head = /^\s*\/\*\*[\s\S]*?\*\//.exec(text)?.[0]
  if (head === undefined || !/@since\s+\S/.test(head)) {
    problems.push(`${file}:1: has no head comment with @since`)
  }
  for (const one of exported) check(one, Path.basename(file, ".ts"), ["since", "category"])
}

for (const problem of problems) console.error(problem)
console.log(`${checked} exports of ${modules.length} modules, ${problems.length} problems`)
if (problems.length > 0) process.exitCode = 1
