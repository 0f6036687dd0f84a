/**
 * Writes the sources as Effect 4 says them: what has another name there, by the table of `renames.mjs`; what differs by more
 * than names, file by file, from `overlay`; and nothing of what `drop.json` and `leftOut.json` name.
 */
import * as Fs from "node:fs"
import * as Path from "node:path"
import { fileURLToPath } from "node:url"
import ts from "typescript"
import { Edited } from "./edited.mjs"
import { homes, literals, members, methods, modules, namespaces } from "./renames.mjs"
import { mapComment } from "./sourceMap.mjs"

const here = Path.dirname(fileURLToPath(import.meta.url))
export const root = Path.join(here, "../..")
export const overlay = Path.join(here, "overlay")
const list = (name) => JSON.parse(Fs.readFileSync(Path.join(here, name), "utf8"))

const dropped = list("drop.json")

/**
 * Tests, and what they alone need: a whole path, or the tests of a file by their titles. Each has its reason.
 */
export const leftOut = list("leftOut.json")

const whole = [
  ...dropped,
  ...leftOut.flatMap(({ path, tests }) => tests === undefined ? [path] : [])
]

/** Whether Effect 4's line has no such file. */
export const isLeftOut = (file) => whole.some((path) => file === path || file.startsWith(`${path}/`))

export const counts = new Map()
const count = (kind, file) => {
  const of = counts.get(kind) ?? { uses: 0, files: new Set() }
  of.uses++
  of.files.add(file)
  counts.set(kind, of)
}

const moduleOf = (spec) => {
  if (typeof modules[spec] === "string") return modules[spec]
  for (const [from, to] of Object.entries(modules)) {
    if (from.endsWith("/") && spec.startsWith(from) && !(spec in modules)) return to + spec.slice(from.length)
  }
  return spec
}

/** What has to be edited, and the modules that have to be imported besides. */
const editsOf = (file, text) => {
  const source = ts.createSourceFile(file, text, ts.ScriptTarget.Latest, true)
  const edits = []
  const edit = (node, to, kind) => {
    edits.push({ from: node.getStart(source), to: node.getEnd(), text: to })
    if (kind) count(kind, file)
  }
  /** local name → name of the module */
  const names = new Map()
  const imported = new Set()
  const needed = new Set()
  for (const node of source.statements) {
    if (!ts.isImportDeclaration(node) || !node.importClause) continue
    const spec = node.moduleSpecifier.text
    if (!/^(effect|@effect\/)/.test(spec)) continue
    const bindings = node.importClause.namedBindings
    if (bindings && ts.isNamespaceImport(bindings)) {
      const local = bindings.name.text
      names.set(local, spec.split("/").pop())
      imported.add(namespaces[local] ?? local)
    } else if (bindings) {
      for (const { name, propertyName } of bindings.elements) {
        names.set(name.text, (propertyName ?? name).text)
        imported.add(namespaces[name.text] ?? name.text)
      }
    }
  }
  const rename = (module, member) => members[`${module}:${member}`]
  const written = (to) => {
    if (!to.includes(".")) return undefined
    const [home] = to.split(".")
    if (!imported.has(home) && homes[home]) needed.add(home)
    return to
  }
  const absent = new Set(leftOut.filter(({ path }) => path === file).flatMap(({ tests }) => tests ?? []))
  const visit = (node) => {
    if (ts.isImportDeclaration(node)) return importDeclaration(node)
    if (ts.isExpressionStatement(node) && ts.isCallExpression(node.expression)) {
      const [title] = node.expression.arguments
      if (title && ts.isStringLiteralLike(title) && absent.delete(title.text)) return edit(node, "")
    }
    // class X extends Context.Tag("k")<X, Shape>() {}
    if (ts.isClassDeclaration(node)) {
      const heritage = node.heritageClauses?.[0]?.types[0]
      const call = heritage?.expression
      if (call && ts.isCallExpression(call)) {
        const inner = call.expression
        if (ts.isCallExpression(inner) && inner.getText(source).startsWith("Context.Tag(")) {
          const key = inner.arguments[0].getText(source)
          edit(
            call,
            `Context.Service<${call.typeArguments.map((t) => t.getText(source)).join(", ")}>()(${key})`,
            "Context.Tag → Context.Service"
          )
          return
        }
        if (ts.isCallExpression(inner) && inner.expression.getText(source) === "Context.Reference") {
          const exported = node.modifiers?.some((m) => m.kind === ts.SyntaxKind.ExportKeyword) ? "export " : ""
          const [key, options] = call.arguments
          edit(
            node,
            `${exported}const ${node.name.text} = Context.Reference(${key.getText(source)}, ${
              options.getText(source)
            })`,
            "Context.Reference class → constant"
          )
          return
        }
      }
    }
    if (ts.isCallExpression(node)) {
      const called = node.expression.getText(source)
      // an effect, and no function any more
      if (called === "Effect.yieldNow") return edit(node, "Effect.yieldNow", "Effect.yieldNow() → Effect.yieldNow")
      if (called === "Deferred.unsafeMake") {
        return edit(node, "Deferred.makeUnsafe()", "Deferred.unsafeMake(id) → makeUnsafe()")
      }
      if (called === "Effect.dieMessage") {
        const [message] = node.arguments
        return edit(node, `Effect.die(new Error(${message.getText(source)}))`, "Effect.dieMessage → die(new Error)")
      }
      if (called === "Logger.replace") {
        return edit(node, `Logger.layer([${node.arguments[1].getText(source)}])`, "Logger.replace → layer")
      }
      if (called === "Logger.remove") return edit(node, "Logger.layer([])", "Logger.remove → layer")
      if (called === "Logger.add") {
        return edit(
          node,
          `Logger.layer([${node.arguments[0].getText(source)}], { mergeWithExisting: true })`,
          "Logger.add → layer"
        )
      }
      if (called === "Layer.setTracer") {
        if (!imported.has("Tracer")) needed.add("Tracer")
        return edit(
          node,
          `Layer.succeed(Tracer.Tracer, ${node.arguments[0].getText(source)})`,
          "Layer.setTracer → succeed"
        )
      }
      if (called === "Fiber.poll") {
        return edit(
          node,
          `Effect.sync(() => Option.fromNullishOr(${node.arguments[0].getText(source)}.pollUnsafe()))`,
          "Fiber.poll → pollUnsafe"
        )
      }
      if (ts.isPropertyAccessExpression(node.expression) && node.expression.name.text === "unsafePoll") {
        return edit(
          node,
          `(${node.expression.expression.getText(source)}.pollUnsafe() ?? null)`,
          ".unsafePoll() → .pollUnsafe() ?? null"
        )
      }
      if (called === "Chunk.toReadonlyArray") edit(node.expression, "Array.from", "Chunk.toReadonlyArray → Array.from")
      if (called === "Logger.minimumLogLevel") {
        if (!imported.has("References")) needed.add("References")
        const [level] = node.arguments
        edit(node.expression, "Layer.succeed", "Logger.minimumLogLevel → reference")
        edits.push({ from: level.getStart(source), to: level.getStart(source), text: "References.MinimumLogLevel, " })
        return visit(level)
      }
      if (ts.isCallExpression(node.expression) && node.expression.expression.getText(source) === "Config.literal") {
        const values = node.expression.arguments.map((value) => value.getText(source)).join(", ")
        const [name] = node.arguments
        return edit(node, `Config.Literals([${values}], ${name.getText(source)})`, "Config.literal → Literals")
      }
      if (called === "Effect.fromFiber") {
        if (!imported.has("Fiber")) needed.add("Fiber")
        edit(node.expression, "Fiber.join", "Effect.fromFiber → Fiber.join")
      }
      if (called === "Cause.isEmpty") {
        return edit(
          node,
          `(${node.arguments[0].getText(source)}.reasons.length === 0)`,
          "Cause.isEmpty → reasons.length"
        )
      }
      const [self] = node.arguments
      if (called === "Effect.gen" && self?.kind === ts.SyntaxKind.ThisKeyword) edit(self, "{ self: this }")
      // the class of a service is its key
      if (called === "Context.GenericTag") {
        edit(node.expression, "Context.Service", "Context.GenericTag → Context.Service")
      }
    }
    // there is no other logger than the pretty one to begin with
    if (ts.isPropertyAssignment(node) && node.name.getText(source) === "disablePrettyLogger") {
      const to = node.getEnd()
      return edits.push({ from: node.getStart(source), to: to + /^(,\s*)?/.exec(text.slice(to))[0].length, text: "" })
    }
    if (
      ts.isPropertyAccessExpression(node) && literals[node.getText(source)] &&
      names.has(node.expression.getText(source))
    ) {
      return edit(node, literals[node.getText(source)], `${node.getText(source)} → literal`)
    }
    // const { unsafeJson } = HttpServerResponse
    if (
      ts.isVariableDeclaration(node) && ts.isObjectBindingPattern(node.name) && node.initializer &&
      ts.isIdentifier(node.initializer) && names.has(node.initializer.text)
    ) {
      for (const element of node.name.elements) {
        const to = rename(names.get(node.initializer.text), (element.propertyName ?? element.name).text)
        if (to) edit(element, `${to}: ${element.name.text}`)
      }
    }
    // Runtime.runFork(runtime)(effect) etc. are renames; `Effect.runtime<R>()` is `Effect.context<R>()`
    if (ts.isPropertyAccessExpression(node) || ts.isQualifiedName(node)) {
      const left = ts.isQualifiedName(node) ? node.left : node.expression
      const right = ts.isQualifiedName(node) ? node.right : node.name
      // Effect.Effect.Context
      const text = node.getText(source).replace(/\s+/g, "")
      const nested = /^(\w+)\.(\w+)\.(\w+)$/.exec(text)
      if (nested && names.has(nested[1])) {
        const to = rename(names.get(nested[1]), `${nested[2]}.${nested[3]}`)
        if (to) {
          edit(node, `${nested[1]}.${to}`, `${names.get(nested[1])}.${nested[2]}.${nested[3]} → ${to}`)
          return
        }
      }
      if (ts.isIdentifier(left) && names.has(left.text)) {
        const module = names.get(left.text)
        const to = rename(module, right.text)
        const local = namespaces[left.text] ?? left.text
        if (to) edit(node, written(to) ?? `${local}.${to}`, `${module}.${right.text} → ${to}`)
        else if (local !== left.text) edit(left, local)
        return
      }
      // a member of a value
      if (Object.hasOwn(methods, right.text)) {
        edit(right, methods[right.text], `.${right.text} → .${methods[right.text]}`)
        if (right.text === "unsafeInterruptAsFork" && ts.isCallExpression(node.parent)) {
          const [argument] = node.parent.arguments
          if (argument && !literals[argument.getText(source)]) edit(argument, "")
        }
        if (ts.isPropertyAccessExpression(node)) visit(node.expression)
        return
      }
    }
    ts.forEachChild(node, visit)
  }
  const importDeclaration = (node) => {
    const spec = node.moduleSpecifier.text
    if (!/^(effect|@effect\/)/.test(spec)) return
    const clause = node.importClause
    const bindings = clause?.namedBindings
    const type = clause?.isTypeOnly ? "type " : ""
    const table = modules[spec]
    if (bindings && ts.isNamedImports(bindings) && typeof table === "object") {
      const groups = new Map()
      for (const element of bindings.elements) {
        const name = element.name.text
        const to = table[name] ?? table["*"]
        const named = element.propertyName ? `${element.propertyName.text} as ${name}` : namespaces[name] ?? name
        groups.set(to, [...(groups.get(to) ?? []), `${element.isTypeOnly ? "type " : ""}${named}`])
      }
      edit(
        node,
        [...groups].map(([to, names]) => `import ${type}{ ${names.join(", ")} } from "${to}"`).join("\n"),
        `import from ${spec}`
      )
      return
    }
    if (spec === "effect/FiberId" || spec === "effect/Runtime") {
      // nothing of it is left
      if (!/Runtime\.(makeRunMain|defaultTeardown)/.test(text)) return edit(node, "", `import of ${spec}`)
    }
    const to = moduleOf(spec)
    if (to !== spec) {
      edit(
        node.moduleSpecifier,
        `"${to}"`,
        `import from ${spec.startsWith("@effect/") ? spec.split("/").slice(0, 2).join("/") : spec}`
      )
    }
    if (bindings && ts.isNamespaceImport(bindings) && namespaces[bindings.name.text]) {
      edit(bindings.name, namespaces[bindings.name.text])
    }
    if (bindings && ts.isNamedImports(bindings)) {
      for (const element of bindings.elements) {
        const to = rename(spec.split("/").pop(), (element.propertyName ?? element.name).text)
        // a namespace that goes by another name, with its module
        const local = element.propertyName === undefined ? namespaces[element.name.text] : undefined
        if (local !== undefined) edit(element, local)
        else if (to) edit(element, `${to.split(".").pop()} as ${element.name.text}`, `${spec}:${element.name.text}`)
      }
    }
  }
  ts.forEachChild(source, visit)
  if (absent.size > 0) throw new Error(`${file} has no test ${JSON.stringify([...absent][0])}, which is left out`)
  return { edits, needed }
}

/** The edits of a block of code in a document: in the text from `from` to `to`, whose lines begin with what is no code. */
const blockEdits = (file, text, from, to) => {
  const block = text.slice(from, to)
  const [margin] = /^[ \t]*(?:\* ?)?/.exec(block)
  const code = block.replace(/^[ \t]*\*/gm, (stars) => " ".repeat(stars.length))
  const { edits, needed } = editsOf(file, code)
  const lines = [...needed].map((name) => `import * as ${name} from "${homes[name]}"\n`).join("")
  const all = lines === "" ? edits : [{ from: margin.length, to: margin.length, text: lines }, ...edits]
  return all.map((edit) => ({
    from: from + edit.from,
    to: from + edit.to,
    text: edit.text.replaceAll("\n", `\n${margin}`)
  }))
}

/** Not so the blocks of one line, `ts effect3` and `ts effect4`. */
const codeBlock = /^(?:[ \t]*\*)?[ \t]*```ts *\n([\s\S]*?)^(?:[ \t]*\*)?[ \t]*```[ \t]*$/gm
/** The edits of the code in a text: in all of it, or in what is written in it as documentation. */
const documentEdits = (file, text, at = 0) =>
  [...text.matchAll(codeBlock)].flatMap(({ 0: block, 1: code, index }) => {
    const from = index + block.indexOf("\n") + 1
    return blockEdits(file, text, from, from + code.length).map((edit) => ({
      ...edit,
      from: at + edit.from,
      to: at + edit.to
    }))
  })

/** A page, with its code as Effect 4 says it. */
export const portedDocument = (file, text) => {
  const result = new Edited(text)
  result.edit(documentEdits(file, text))
  // what is only for readers of the other line, and of this one
  return result.replace(/<!-- effect3 -->(\n[\s\S]*?<!-- \/effect3 -->\n+|.*?<!-- \/effect3 -->)/g, "")
    .replace(/<!-- effect4: ([\s\S]*?)\s-->/g, (_, text) => text)
}

/** A source as Effect 4 says it, and where each of its characters comes from. */
export const ported = (file, text) => {
  const { edits, needed } = editsOf(file, text)
  const comments = [...text.matchAll(/\/\*\*[\s\S]*?\*\//g)]
  const result = new Edited(text)
  result.edit([...edits, ...comments.flatMap(({ 0: comment, index }) => documentEdits(file, comment, index))])
  result.replace(/\blogLevel\.label\b/g, "logLevel.toUpperCase()")
  // what is imported twice, or for nothing any more
  const seenImports = new Set()
  const all = result.text
  result.replace(/^import (type )?\* as (\w+) from "([^"]+)"\n/gm, (line, type, name, spec, at) => {
    if (!/^(effect|@effect\/)/.test(spec)) return line
    if (seenImports.has(name)) return ""
    const rest = all.slice(0, at) + all.slice(at + line.length)
    if (!new RegExp(`\\b${name}\\b`).test(rest.replace(/\/\*[\s\S]*?\*\//g, "").replace(/^import .*$/gm, ""))) return ""
    seenImports.add(name)
    return type && new RegExp(`^import \\* as ${name} from "${spec}"$`, "m").test(all)
      ? (seenImports.delete(name), "")
      : line
  })
  const named = result.text
  result.replace(/^import (?:type )?\{ ([^}\n]*) \} from "(?:effect|@effect\/)[^"\n]*"\n/gm, (line, names, at) => {
    const rest = named.slice(0, at) + named.slice(at + line.length)
    const all = names.split(", ")
    const used = all.filter((name) => new RegExp(`\\b${name.split(" ").at(-1)}\\b`).test(rest))
    return used.length === 0 ? "" : line.replace(`{ ${names} }`, `{ ${used.join(", ")} }`)
  })
  if (/\bOption\.fromNullishOr\(/.test(result.text) && !/\bOption\b.*from "effect/.test(result.text)) {
    needed.add("Option")
  }
  if (needed.size > 0) {
    const lines = [...needed].map((name) => `import * as ${name} from "${homes[name]}"\n`).join("")
    const first = result.text.search(/^import /m)
    const at = first >= 0 ? first : /^(?:\/\*\*[\s\S]*?\*\/\n)?/.exec(result.text)[0].length
    result.edit([{ from: at, to: at, text: lines }])
  }
  return result
}

/** A source as Effect 4 says it. */
export const port = (file, text) => ported(file, text).text

/** The files of a directory. */
export const walk = function*(dir) {
  for (const entry of Fs.readdirSync(dir, { withFileTypes: true })) {
    const path = Path.join(dir, entry.name)
    if (entry.isDirectory()) { if (entry.name !== "node_modules") yield* walk(path) }
    else yield path
  }
}

const isSource = (file) => /\.m?ts$|\.mjs$/.test(file)

const write = (path, text) => {
  Fs.mkdirSync(Path.dirname(path), { recursive: true })
  if (Fs.existsSync(path) && Fs.readFileSync(path, "utf8") === text) return
  Fs.writeFileSync(path, text)
}

const copy = (path, to) => {
  Fs.mkdirSync(Path.dirname(to), { recursive: true })
  Fs.copyFileSync(path, to)
}

/** The configuration of vitest, as that of Effect 4 has it, without the files that are left out. */
const portTestConfig = (text) =>
  text
    .replace(
      /poolOptions: \{ forks: \{ isolate: false, minForks: (\d+), maxForks: \1 \} \}/,
      "isolate: false, maxWorkers: $1"
    )
    // there is no fast path to be without
    .replace(/^const withoutFastPath = \{\n[\s\S]*?^\}\n\n/m, "")
    .replace(/,\n *\.\.\.\(isRelease \? \[withoutFastPath\] : \[\]\)/, "")
    .replace(/^\/\*\*\n(?: \*.*\n)+(?=const bothWays = )const bothWays = .*\n\n/m, "")
    .replace(/^ {2}"(test\/[^"]+)",?\n/gm, (line, file) => isLeftOut(file) ? "" : line)
    .replace(/^ {2}\[("test\/[^\]]+)\],?\n/gm, (_, line) => {
      const files = line.split(", ").filter((file) => !isLeftOut(JSON.parse(file)))
      return files.length === 0 ? "" : `  [${files.join(", ")}],\n`
    })

/** What is written to a file, with where it comes from. */
const mapped = (to, path, text, edited) =>
  /\.m?ts$/.test(to) ? edited.text + mapComment(Path.relative(Path.dirname(to), path), text, edited) : edited.text

/** Writes those directories of the repository into `out`, and removes from there what is no longer written. */
export const writeTree = (out, dirs) => {
  const kept = new Set()
  for (const path of whole) {
    if (!Fs.existsSync(Path.join(root, path))) throw new Error(`${path} is left out, and not there`)
  }
  for (const dir of dirs) {
    for (const path of walk(Path.join(root, dir))) {
      const file = Path.relative(root, path)
      if (isLeftOut(file)) continue
      const to = Path.resolve(out, file)
      kept.add(to)
      if (Fs.existsSync(Path.join(overlay, file))) continue
      if (isSource(file)) {
        const text = Fs.readFileSync(path, "utf8")
        write(to, mapped(to, path, text, ported(file, text)))
      } else copy(path, to)
    }
  }
  const testConfig = "vitest.config.ts"
  write(Path.join(out, testConfig), portTestConfig(Fs.readFileSync(Path.join(root, testConfig), "utf8")))
  for (const path of walk(overlay)) {
    const to = Path.resolve(out, Path.relative(overlay, path))
    kept.add(to)
    const text = Fs.readFileSync(path, "utf8")
    write(to, mapped(to, path, text, new Edited(text)))
  }
  for (const dir of dirs) {
    for (const path of walk(Path.join(out, dir))) if (!kept.has(Path.resolve(path))) Fs.rmSync(path)
  }
}

/** The titles of the tests in a file. */
export const titlesOf = (text) => {
  const source = ts.createSourceFile("titles.ts", text, ts.ScriptTarget.Latest, true)
  const titles = []
  const visit = (node) => {
    if (ts.isCallExpression(node)) {
      const [title] = node.arguments
      if (/^(it|test)\b/.test(node.expression.getText(source)) && title && ts.isStringLiteralLike(title)) {
        titles.push(title.text)
      }
    }
    ts.forEachChild(node, visit)
  }
  visit(source)
  return titles
}
