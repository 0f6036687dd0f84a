/**
 * What is wrong in what was written for Effect 4 is said of the place in the sources. Needs the tree of `npm run effect4`.
 */
import assert from "node:assert/strict"
import * as Fs from "node:fs"
import { SourceMap } from "node:module"
import * as Path from "node:path"
import { test } from "node:test"
import { positionOf } from "./edited.mjs"
import { originOf } from "./origin.mjs"
import { ported, root } from "./port.mjs"
import { sourceMap } from "./sourceMap.mjs"
import { typeErrors } from "./types.mjs"

const tree = Path.join(root, ".out/effect4")

/** Renamed, shortened and lengthened before each error; `wrong` is of another type than it has to be. */
const source = `import { HttpServerResponse } from "@effect/platform"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import type * as Runtime from "effect/Runtime"

export class Name extends Context.Tag("Name")<Name, string>() {}
export const program = Effect.zipRight(Effect.void, Effect.zipRight(Effect.void, wrong))
export const both = (fiber: Fiber.RuntimeFiber<void>) => Effect.zipRight(Fiber.join(fiber), wrong)
export const response = HttpServerResponse.unsafeJson(1, wrong)
`.replace("import * as Effect", "import * as Context from \"effect/Context\"\nimport * as Effect")
const places = [...source.matchAll(/\bwrong\b/g)].map(({ index }) => {
  const { column, line } = positionOf(source, index)
  return `src/deliberate.ts:${line}:${column}`
})

/** What is wrong with the types of a source. */
const errorsOf = (text) => {
  const copy = Fs.mkdtempSync(Path.join(tree, "deliberate-"))
  try {
    for (const [under, written] of [["sources", text], ["tree", ported("src/deliberate.ts", text).text]]) {
      Fs.mkdirSync(Path.join(copy, under, "src"), { recursive: true })
      Fs.writeFileSync(Path.join(copy, under, "src/deliberate.ts"), written)
    }
    const { compilerOptions } = JSON.parse(Fs.readFileSync(Path.join(tree, "tsconfig.json"), "utf8"))
    Fs.writeFileSync(
      Path.join(copy, "tree/tsconfig.json"),
      JSON.stringify({ compilerOptions: { ...compilerOptions, paths: {} }, include: ["src"] })
    )
    return typeErrors(Path.join(copy, "tree"), "tsconfig.json", Path.join(copy, "sources"))
  } finally {
    Fs.rmSync(copy, { recursive: true })
  }
}

void test("an error of types names its place in the source", () => {
  assert.equal(places.length, 3)
  const errors = errorsOf(source)
  assert.deepEqual(errors.map((error) => error.split(": ")[0]), places)
  for (const error of errors) assert.match(error, /TS2304: Cannot find name 'wrong'/)
})

void test("so does a name that Effect 4 does not have, and a module", () => {
  const errors = errorsOf(`import * as Cause from "effect/Cause"
import * as FiberRef from "effect/FiberRef"

export const ref = FiberRef.unsafeMake(0)
export const part = Cause.isSequentialType
`)
  assert.equal(errors.length, 2)
  assert.match(errors[0], /^src\/deliberate\.ts:2:27: TS2307: Effect 4 has no module 'effect\/FiberRef'/)
  assert.match(errors[1], /^src\/deliberate\.ts:5:27: TS2339: Property 'isSequentialType' does not exist/)
})

void test("a source map names the same places", () => {
  const edited = ported("src/deliberate.ts", source)
  const map = new SourceMap(sourceMap("deliberate.ts", source, edited))
  const found = [...edited.text.matchAll(/\bwrong\b/g)].map(({ index }) => {
    const { column, line } = positionOf(edited.text, index)
    const { originalColumn, originalLine } = map.findEntry(line - 1, column - 1)
    return `src/deliberate.ts:${originalLine + 1}:${originalColumn + 1}`
  })
  assert.deepEqual(found, places)
})

void test("what was not replaced is what it was, in every source", () => {
  const sources = Fs.readdirSync(Path.join(root, "src"), { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".ts"))
  assert.ok(sources.length > 100)
  for (const name of sources) {
    const text = Fs.readFileSync(Path.join(root, "src", name), "utf8")
    const { origins, text: written } = ported(`src/${name}`, text)
    assert.equal(origins.length, written.length + 1, name)
    let same = 0
    for (let at = 0; at < written.length; at++) if (written[at] === text[origins[at]]) same++
    assert.ok(same >= written.length * 0.75, `${name}: ${same} of ${written.length}`)
    assert.equal(origins.at(-1), text.length, name)
  }
})

void test("what is laid over names the file that is laid over", () => {
  const file = "src/internal/effect/durations.ts"
  assert.equal(originOf(file, 0), `.ci/effect4/overlay/${file}:1:1`)
})
