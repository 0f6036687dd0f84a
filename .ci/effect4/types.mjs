/**
 * Checks the types of a tree for Effect 4. What is wrong is said of the place in the sources, and not of what was written from
 * there.
 */
import * as Path from "node:path"
import ts from "typescript"
import { originOf } from "./origin.mjs"
import { root } from "./port.mjs"

/** What is wrong with the types of what a `tsconfig.json` names, each as one text. */
export const typeErrors = (tree, config = "tsconfig.json", sources = root) => {
  const host = { ...ts.sys, onUnRecoverableConfigFileDiagnostic: (diagnostic) => problems.push(said(diagnostic)) }
  const problems = []
  const said = (diagnostic) => {
    const message = `TS${diagnostic.code}: ${ts.flattenDiagnosticMessageText(diagnostic.messageText, "\n  ")}`
    if (diagnostic.file === undefined) return message
    const file = Path.relative(tree, diagnostic.file.fileName)
    const at = diagnostic.file.getLineAndCharacterOfPosition(diagnostic.start)
    const place = `${Path.relative(root, diagnostic.file.fileName)}:${at.line + 1}:${at.character + 1}`
    const origin = file.startsWith("..") ? undefined : originOf(file, diagnostic.start, sources)
    return `${origin ?? place}: ${message}${origin === undefined ? "" : `\n  in ${place}`}`
  }
  const parsed = ts.getParsedCommandLineOfConfigFile(Path.join(tree, config), {}, host)
  if (parsed === undefined) return problems
  const program = ts.createProgram(parsed.fileNames, parsed.options)
  // what was not found in the tree is looked for above it, where Effect 3 is
  const isOfEffect3 = (fileName) => /^node_modules\/(effect|@effect)\//.test(Path.relative(root, fileName))
  for (const file of program.getSourceFiles()) {
    if (Path.relative(tree, file.fileName).startsWith("..") || file.fileName.includes("/node_modules/")) continue
    for (const { fileName: name, pos: start } of ts.preProcessFile(file.text, true, true).importedFiles) {
      const found = ts.resolveModuleName(name, file.fileName, parsed.options, host).resolvedModule
      if (found === undefined || !isOfEffect3(found.resolvedFileName)) continue
      problems.push(said({ code: 2307, file, start, messageText: `Effect 4 has no module '${name}'.` }))
    }
  }
  problems.push(...[...parsed.errors, ...ts.getPreEmitDiagnostics(program)].map(said))
  return problems
}
