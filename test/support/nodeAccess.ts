/** What a source does with Node that Node does not document, as far as its text and its types show. */
import { relative } from "node:path"
import * as Ts from "typescript"

/** They alone may: `src/internal/node/internals.ts` and `patch.ts`. */
const allowed = /\/src\/internal\/node\/(internals|patch)\.ts$/

/** What begins with an underscore and is no matter of Node's: the tags of Effect, and the children of its fibers. */
const ofEffect = new Set(["_tag", "_children"])

/** What routers keep on a request: express, connect. */
const ofRouters = new Set(["originalUrl"])

/** What Node documents to be written. */
const writable = new Set(["process.exitCode", "process.env", "request.headers.host", "url.password", "url.username"])

/** These write a property of their first argument, or take it away. */
const writers = new Set([
  "Object.assign",
  "Object.defineProperties",
  "Object.defineProperty",
  "Object.setPrototypeOf",
  "Reflect.defineProperty",
  "Reflect.deleteProperty",
  "Reflect.set",
  "Reflect.setPrototypeOf"
])

const isUnderscored = (name: string): boolean => /^_[a-z]/i.test(name) && !ofEffect.has(name)

const fileOf = (declaration: Ts.Declaration): string => declaration.getSourceFile().fileName

const isNodes = (declaration: Ts.Declaration): boolean => fileOf(declaration).includes("/@types/node/")

const isOurs = (declaration: Ts.Declaration): boolean => fileOf(declaration).includes("/src/")

/** Of an interface that Node adds to, such as `Error`, the language is the owner. */
const isOfNode = (type: Ts.Type): boolean => {
  if (type.isUnionOrIntersection()) return type.types.some(isOfNode)
  const declarations = type.getSymbol()?.declarations ?? []
  return declarations.length > 0 && declarations.every(isNodes)
}

const isAssignment = (kind: Ts.SyntaxKind): boolean =>
  kind >= Ts.SyntaxKind.FirstAssignment && kind <= Ts.SyntaxKind.LastAssignment

/** Methods that Node's objects have: whoever names an interface of his own for one replaces the same one. */
const methodsOfNode = [
  ["net", "Server"],
  ["net", "Socket"],
  ["http", "Server"],
  ["http", "IncomingMessage"],
  ["http", "ServerResponse"],
  ["http2", "ServerHttp2Session"],
  ["http2", "ServerHttp2Stream"]
] as const

export const nodeAccessIn = (program: Ts.Program, root: string): ReadonlyArray<string> => {
  const checker = program.getTypeChecker()
  const methods = new Set(methodsOfNode.flatMap(([module, name]) => {
    const exported = checker.getAmbientModules().find((each) => each.name === `"${module}"`)
    const symbol = exported && checker.getExportsOfModule(exported).find((each) => each.name === name)
    if (symbol === undefined) throw new Error(`there is no ${name} in node:${module}`)
    return checker.getPropertiesOfType(checker.getDeclaredTypeOfSymbol(symbol))
      .filter(({ flags }) => (flags & Ts.SymbolFlags.Method) !== 0)
      .map((each) => each.name)
  }))
  const found: Array<string> = []

  const say = (node: Ts.Node, what: string) => {
    const file = node.getSourceFile()
    const { line } = file.getLineAndCharacterOfPosition(node.getStart())
    found.push(`${relative(root, file.fileName).replaceAll("\\", "/")}:${line + 1}: ${what}`)
  }

  /** A symbol that is our own, under which something of ours is kept on an object of Node's. */
  const isOwnSymbol = (node: Ts.Node | undefined): boolean => {
    if (node === undefined) return false
    const type = checker.getTypeAtLocation(node)
    return (type.flags & Ts.TypeFlags.ESSymbolLike) !== 0
      && (checker.getSymbolAtLocation(node)?.declarations ?? []).some(isOurs)
  }

  const isText = (node: Ts.Node | undefined): node is Ts.StringLiteralLike =>
    node !== undefined && Ts.isStringLiteralLike(node)

  /** The names of properties that a node reads. */
  const namesIn = (node: Ts.Node): ReadonlyArray<string> => {
    if (Ts.isPropertyAccessExpression(node)) return [node.name.text]
    if (Ts.isElementAccessExpression(node) && isText(node.argumentExpression)) return [node.argumentExpression.text]
    if (Ts.isBindingElement(node) && Ts.isObjectBindingPattern(node.parent)) {
      return [(node.propertyName ?? node.name).getText().replaceAll(/^["']|["']$/g, "")]
    }
    if (Ts.isPropertySignature(node)) return [node.name.getText()]
    if (Ts.isBinaryExpression(node) && node.operatorToken.kind === Ts.SyntaxKind.InKeyword && isText(node.left)) {
      return [node.left.text]
    }
    if (Ts.isCallExpression(node) && /^(Reflect|Object)\./.test(node.expression.getText())) {
      return node.arguments.filter(isText).map(({ text }) => text)
    }
    return []
  }

  const cast = (node: Ts.AsExpression) => {
    let inner: Ts.Expression = node.expression
    while (Ts.isAsExpression(inner) || Ts.isParenthesizedExpression(inner)) inner = inner.expression
    const from = checker.getTypeAtLocation(inner)
    if (!isOfNode(from)) return
    for (const property of checker.getPropertiesOfType(checker.getTypeAtLocation(node))) {
      const { declarations, name } = property
      if (!(declarations ?? []).some(isOurs) || name.startsWith("__@") || ofRouters.has(name)) continue
      if (from.getProperty(name) === undefined) say(node, `reads ${name} of an object of Node's`)
    }
  }

  const assignment = (node: Ts.BinaryExpression) => {
    const { left, right } = node
    if (!Ts.isPropertyAccessExpression(left) && !Ts.isElementAccessExpression(left)) return
    if (left.expression.kind === Ts.SyntaxKind.ThisKeyword) return
    const text = left.getText()
    if (writable.has(text) || writable.has(left.expression.getText())) return
    if (Ts.isElementAccessExpression(left)) {
      if (isOfNode(checker.getTypeAtLocation(left.expression)) && !isOwnSymbol(left.argumentExpression)) {
        say(node, `writes ${text}`)
      }
      return
    }
    const declarations = checker.getSymbolAtLocation(left.name)?.declarations ?? []
    const isMethod = checker.getTypeAtLocation(right).getCallSignatures().length > 0
    const isBuiltIn = declarations.some((each) => isNodes(each) || /\/lib\.[^/]*\.d\.ts$/.test(fileOf(each)))
    if (declarations.some(isNodes) || (isMethod && (isBuiltIn || methods.has(left.name.text)))) {
      say(node, `writes ${text}`)
    }
  }

  const call = (node: Ts.CallExpression) => {
    const name = node.expression.getText()
    if (name === "Object.getOwnPropertySymbols") say(node, "looks for symbols")
    if (!writers.has(name) && name !== "Reflect.get") return
    const [object, key] = node.arguments
    // what is made here is nobody else's
    if (object === undefined || Ts.isNewExpression(object)) return
    if (writable.has(object.getText()) || isOwnSymbol(key)) return
    if (isOfNode(checker.getTypeAtLocation(object))) say(node, `${name} of ${object.getText()}`)
  }

  const visit = (node: Ts.Node): void => {
    for (const name of namesIn(node)) if (isUnderscored(name)) say(node, `reads ${name}`)
    if (Ts.isAsExpression(node)) cast(node)
    if (Ts.isBinaryExpression(node) && isAssignment(node.operatorToken.kind)) assignment(node)
    if (Ts.isCallExpression(node)) call(node)
    if (Ts.isDeleteExpression(node) && Ts.isPropertyAccessExpression(node.expression)) {
      if (isOfNode(checker.getTypeAtLocation(node.expression.expression))) say(node, node.getText())
    }
    Ts.forEachChild(node, visit)
  }
  for (const file of program.getSourceFiles()) {
    const isSource = file.fileName.includes("/src/") && !file.fileName.includes("/node_modules/")
    if (isSource && !allowed.test(file.fileName)) visit(file)
  }
  return found
}
