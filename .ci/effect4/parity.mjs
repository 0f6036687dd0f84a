/**
 * The modules that stand in for one of `@effect/platform-node` have all that it exports, with types that fit, and take
 * all of its options: what a new version of it adds is said here.
 */
import * as Path from "node:path"
import ts from "typescript"

const modules = ["NodeHttpServer", "NodeSocketServer"]

/** What is missing or does not fit, a line each. */
export const differences = (out) => {
  const config = ts.readConfigFile(Path.join(out, "tsconfig.json"), ts.sys.readFile).config
  const { options } = ts.parseJsonConfigFileContent({ ...config, include: [], files: [] }, ts.sys, out)
  const theirs = (name) => Path.join(out, `node_modules/@effect/platform-node/dist/${name}.d.ts`)
  const ours = (name) => Path.join(out, `src/${name}.ts`)
  const program = ts.createProgram(modules.flatMap((name) => [theirs(name), ours(name)]), options)
  const checker = program.getTypeChecker()
  const exportsOf = (file) => {
    const symbol = checker.getSymbolAtLocation(program.getSourceFile(file))
    return new Map(checker.getExportsOfModule(symbol).map((each) => [each.name, each]))
  }
  const resolved = (symbol) => symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol
  const found = []
  for (const name of modules) {
    const has = exportsOf(ours(name))
    for (const [member, symbol] of exportsOf(theirs(name))) {
      if (member === "default") continue
      const their = resolved(symbol)
      const own = has.get(member) && resolved(has.get(member))
      const where = `${name}.${member}`
      if (own === undefined) found.push(`${where} is missing`)
      else if (their.flags & ts.SymbolFlags.Value) {
        const [ownType, theirType] = [checker.getTypeOfSymbol(own), checker.getTypeOfSymbol(their)]
        if (!checker.isTypeAssignableTo(ownType, theirType)) {
          found.push(`${where} is ${checker.typeToString(ownType)}, and not ${checker.typeToString(theirType)}`)
        }
      } else if (their.flags & ts.SymbolFlags.Interface) {
        const [ownType, theirType] = [checker.getDeclaredTypeOfSymbol(own), checker.getDeclaredTypeOfSymbol(their)]
        for (const { name: option } of checker.getPropertiesOfType(theirType)) {
          if (checker.getPropertyOfType(ownType, option) === undefined) found.push(`${where} has no ${option}`)
        }
        if (!checker.isTypeAssignableTo(theirType, ownType)) found.push(`${where} does not take what theirs takes`)
      }
    }
  }
  return found
}
