// The table in docs/go-rules.md is complete, and keeps what it promises.
import * as Fs from "node:fs"
import * as Typescript from "typescript"
import { expect, it } from "vitest"

const here = new URL(".", import.meta.url)
const read = (file: string) => Fs.readFileSync(new URL(file, here), "utf8")

const range = (letter: string, from: number, to = from): ReadonlyArray<string> =>
  Array.from({ length: to - from + 1 }, (_, index) => `${letter}${from + index}`)

/** What was to be shown: Go's rules, and Go's own tests. */
const list = [
  ...range("A", 1, 11),
  ...range("B", 1, 11),
  ...range("C", 1, 10),
  ...range("D", 1, 18),
  ...range("E", 1, 6),
  ...range("F", 4, 9),
  ...range("G", 6, 8),
  ...range("H", 1, 16),
  ...range("T", 1, 13),
  ...range("T", 15, 20),
  ...range("T", 22, 29),
  ...range("T", 33, 35),
  ...range("T", 48, 50),
  ...range("T", 53, 56),
  ...range("T", 59, 67),
  ...[71, 72, 85].flatMap((n) => range("T", n)),
  ...range("T", 76, 84),
  ...range("T", 98, 103)
]

/** The rule that a title begins with: `A1`; Go's test 48 is `T48`, or `Go 48` in words. */
const idOf = (title: string): string | undefined => {
  const [, letter = "T", number] = /^(?:Go |([A-HT]))(\d+)\b/.exec(title) ?? []
  return number === undefined ? undefined : `${letter}${number}`
}

interface Row {
  readonly id: string
  readonly go: string
  readonly here: string
  readonly files: ReadonlyArray<string>
}

const rows: ReadonlyArray<Row> = read("../../../docs/go-rules.md").split("\n").flatMap((line) => {
  const [, id = "", go = "", here = "", test = ""] = line.split("|").map((cell) => cell.trim())
  return idOf(id) === id ? [{ id, go, here, files: test.match(/[\w.]+\.test\.ts/g) ?? [] }] : []
})

/** The rule of each test in a file: its title starts with it. */
const rulesIn = (file: string): ReadonlyArray<string> => {
  const rules: Array<string> = []
  const visit = (node: Typescript.Node): void => {
    if (Typescript.isCallExpression(node) && /^it\b/.test(node.expression.getText())) {
      const [title] = node.arguments
      const rule = title !== undefined && Typescript.isStringLiteralLike(title) ? idOf(title.text) : undefined
      if (rule !== undefined) rules.push(rule)
    }
    Typescript.forEachChild(node, visit)
  }
  visit(Typescript.createSourceFile(file, read(file), Typescript.ScriptTarget.Latest, true))
  return rules
}

const rulesOf = new Map(
  Fs.readdirSync(here)
    .filter((file) => file.endsWith(".test.ts") && file !== "table.test.ts")
    .map((file) => [file, rulesIn(file)])
)

it("has a row for every rule and every test of the list, and no two for one", () => {
  const ids = rows.map(({ id }) => id)
  expect(list.filter((id) => !ids.includes(id))).toEqual([])
  expect(ids.filter((id, index) => ids.indexOf(id) !== index)).toEqual([])
})

it("says in every row what Go does and what happens here, and has a test or the reason why not", () => {
  for (const row of rows) {
    expect(row, row.id).toMatchObject({ go: expect.stringMatching(/\w/), here: expect.stringMatching(/\w/) })
    if (row.files.length === 0) expect(row.here, row.id).toMatch(/^no meaning/)
  }
})

it("names files that have a test of that rule", () => {
  const missing = rows.flatMap(({ files, id }) =>
    files.filter((file) => rulesOf.get(file)?.includes(id) !== true).map((file) => `${id} in ${file}`)
  )
  expect(missing).toEqual([])
})

it("leaves out no test", () => {
  const unlisted = Array.from(rulesOf).flatMap(([file, rules]) =>
    rules.filter((rule) => !rows.some(({ files, id }) => id === rule && files.includes(file)))
      .map((rule) => `${rule} in ${file}`)
  )
  expect(unlisted).toEqual([])
})
