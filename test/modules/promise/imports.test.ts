import * as Fs from "node:fs"
import * as Path from "node:path"
import { fileURLToPath } from "node:url"
import * as Ts from "typescript"
import { expect, it } from "vitest"

/** What a module loads when it runs: what is imported for its types alone is not there any more. */
const imports = (file: string): ReadonlyArray<string> => {
  const { outputText } = Ts.transpileModule(Fs.readFileSync(file, "utf8"), {
    compilerOptions: { module: Ts.ModuleKind.ESNext, target: Ts.ScriptTarget.ES2022, verbatimModuleSyntax: true }
  })
  return Ts.preProcessFile(outputText).importedFiles.map(({ fileName }) => fileName)
}

const packagesOf = (entry: string): ReadonlySet<string> => {
  const packages = new Set<string>()
  const seen = new Set<string>()
  const visit = (file: string): void => {
    if (seen.has(file)) return
    seen.add(file)
    for (const name of imports(file)) {
      if (name.startsWith(".")) visit(Path.resolve(Path.dirname(file), name.replace(/\.js$/, ".ts")))
      else {packages.add(
          name.startsWith("node:") ? "node" : name.split("/").slice(0, name.startsWith("@") ? 2 : 1).join("/")
        )}
    }
  }
  visit(entry)
  return packages
}

it("loads effect and nothing else: neither @effect/platform nor @effect/platform-node", () => {
  const source = (name: string) => fileURLToPath(new URL(`../../../src/${name}.ts`, import.meta.url))
  expect([...packagesOf(source("promise"))].sort()).toEqual(["effect", "node"])
  expect([...packagesOf(source("NodeHttpServer"))]).toContain("@effect/platform-node")
})
