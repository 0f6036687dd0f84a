/** What a source starts besides Node, as far as its text shows. */
import * as Ts from "typescript"

/** The first argument of these is what is started; `exec` and `execSync` start a shell, and may not be used. */
const starting = new Set(["spawn", "spawnSync", "execFile", "execFileSync"])

/** Modules that start programs, besides Node's own. */
const otherWays = /^(execa|cross-spawn|nano-spawn|tinyexec|zx|node-pty|@effect\/platform\/(Command|CommandExecutor))$/

const textOf = (node: Ts.Node): string | undefined =>
  Ts.isStringLiteralLike(node) || Ts.isTemplateHead(node) || Ts.isTemplateMiddle(node) || Ts.isTemplateTail(node)
    ? node.text
    : undefined

const isChildProcess = (node: Ts.Node | undefined): boolean =>
  node !== undefined && Ts.isStringLiteralLike(node) && /^(node:)?child_process$/.test(node.text)

/**
 * Says of each place that starts, or could start, something other than `process.execPath`. A module that starts
 * processes names what it imports, so that each use can be seen: `fork`, which starts Node, and calls whose first
 * argument is `process.execPath`.
 */
export const startsBesidesNode = (name: string, text: string): ReadonlyArray<string> => {
  if (!/child_process|Command|execa|spawn|tinyexec|zx|node-pty/.test(text)) return []
  const file = Ts.createSourceFile(name, text, Ts.ScriptTarget.Latest, true)
  const found: Array<string> = []
  const say = (node: Ts.Node, what: string) => {
    const { line } = file.getLineAndCharacterOfPosition(node.getStart())
    found.push(`${name}:${line + 1}: ${what}`)
  }
  const local = new Set<string>()

  const imports = (declaration: Ts.ImportDeclaration) => {
    const clause = declaration.importClause
    if (clause === undefined || clause.isTypeOnly) return
    const bindings = clause.namedBindings
    if (clause.name !== undefined || bindings === undefined || !Ts.isNamedImports(bindings)) {
      return say(declaration, "imports all of child_process")
    }
    for (const each of bindings.elements) {
      const imported = (each.propertyName ?? each.name).text
      if (each.isTypeOnly || imported === "ChildProcess") continue
      if (starting.has(imported)) local.add(each.name.text)
      else if (imported !== "fork") say(each, `imports ${imported}`)
    }
  }

  const visit = (node: Ts.Node): void => {
    if (Ts.isImportDeclaration(node) && isChildProcess(node.moduleSpecifier)) return imports(node)
    // require, import(), export from, getBuiltinModule, code in a string
    if (textOf(node)?.match(/\bchild_process\b/)) say(node, "child_process, but not by an import of names")
    if (textOf(node)?.match(otherWays)) say(node, "another way to start a program")
    if (Ts.isIdentifier(node) && local.has(node.text) && !isPropertyName(node)) {
      const call = node.parent
      if (!Ts.isCallExpression(call) || call.expression !== node) say(node, `passes ${node.text} on`)
      else if (call.arguments[0]?.getText() !== "process.execPath") say(call, `starts ${call.arguments[0]?.getText()}`)
    }
    Ts.forEachChild(node, visit)
  }
  Ts.forEachChild(file, visit)
  return found
}

const isPropertyName = (node: Ts.Identifier): boolean => {
  const { parent } = node
  return (Ts.isPropertyAccessExpression(parent) || Ts.isPropertyAssignment(parent) || Ts.isPropertySignature(parent)
    || Ts.isMethodDeclaration(parent)) && parent.name === node
}
