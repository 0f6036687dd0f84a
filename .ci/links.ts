/**
 * Checks the links of the documents: every relative link of a Markdown file, and of a docstring of a public module, leads
 * to a file that exists, and to a heading that it has. What is in the package links only to what is in the package, so
 * that the links work for those who read it there; and examples import only that, so that they run there.
 * README.md is short, and leads to every page of docs. No page has what a merge leaves where two changes are in conflict.
 */
import * as Fs from "node:fs"
import * as Path from "node:path"
import { docComments, packageJson, publicModules, root } from "./project.js"

const readmeLines = 250

const folders = ["docs", "examples", "test"]
const atTop = Fs.readdirSync(root).filter((name) => name.endsWith(".md"))
const within = (folder: string) =>
  Fs.readdirSync(Path.join(root, folder), { recursive: true, encoding: "utf8" })
    .map((name) => `${folder}/${name.replaceAll(Path.sep, "/")}`)
    .filter((name) => name.endsWith(".md") && !name.includes("node_modules/"))
const pages = [...atTop, ...folders.flatMap(within)]

const read = (file: string) => Fs.readFileSync(Path.join(root, file), "utf8")
/** Code is no prose: it is replaced by blanks, so that lines stay what they were. */
const blank = (code: string) => code.replaceAll(/[^\n]/g, " ")
const withoutCode = (text: string) =>
  text.replaceAll(/^ *(`{3,})[\s\S]*?^ *\1 *$/gm, blank).replaceAll(/(`+)(?!`)[^\n]*?[^`]\1(?!`)/g, blank)

/** The anchor that GitHub gives to a heading. */
const slug = (heading: string) =>
  heading.trim().toLowerCase().replaceAll(/\[([^\]]*)\]\([^)]*\)/g, "$1").replaceAll(/[^\p{L}\p{N}\s_-]/gu, "")
    .replaceAll(/\s/g, "-")

const anchors = new Map<string, ReadonlySet<string>>()
const anchorsOf = (file: string): ReadonlySet<string> => {
  const known = anchors.get(file)
  if (known !== undefined) return known
  const found = new Set<string>()
  for (const [, heading = ""] of read(file).replaceAll(/^ *(`{3,})[\s\S]*?^ *\1 *$/gm, blank).matchAll(/^#+ (.*)$/gm)) {
    const name = slug(heading)
    let nth = 0
    while (found.has(nth === 0 ? name : `${name}-${nth}`)) nth++
    found.add(nth === 0 ? name : `${name}-${nth}`)
  }
  anchors.set(file, found)
  return found
}

const isPacked = (file: string) =>
  file === "package.json" || packageJson.files.some((packed) => file === packed || file.startsWith(`${packed}/`))

const problems: Array<string> = []
let checked = 0
const linked = new Set<string>()

const check = (source: string, text: string, firstLine: number): void => {
  for (const match of withoutCode(text).matchAll(/\]\(([^)\s]+)\)/g)) {
    const [, target = ""] = match
    if (/^[a-z]+:/.test(target)) continue
    checked++
    const where = `${source}:${firstLine + text.slice(0, match.index).split("\n").length - 1}`
    const [path = "", anchor] = target.split("#")
    const file = path === "" ? source : Path.posix.join(Path.posix.dirname(source), path).replace(/\/$/, "")
    if (source === "README.md") linked.add(file)
    if (!Fs.existsSync(Path.join(root, file))) {
      problems.push(`${where}: ${target} is not there`)
    } else if (anchor !== undefined && !(file.endsWith(".md") && anchorsOf(file).has(anchor))) {
      problems.push(`${where}: ${file} has no heading #${anchor}`)
    }
    if (isPacked(source) && !isPacked(file)) problems.push(`${where}: ${target} is not in the package`)
  }
}

for (const page of pages) {
  const text = read(page)
  check(page, text, 1)
  const conflict = /^(<{7}|>{7}) /m.exec(text)
  if (conflict !== null) problems.push(`${page}: a conflict of a merge is left in it: ${conflict[0]}`)
}
for (const file of publicModules()) {
  for (const { line, text } of docComments(read(file))) check(file, text, line)
}

// an example of the package imports nothing that is not in it
const examples = Fs.readdirSync(Path.join(root, "examples"), { recursive: true, encoding: "utf8" })
  .map((name) => `examples/${name.replaceAll(Path.sep, "/")}`)
  .filter((name) => /\.[cm]?[jt]s$/.test(name) && !name.includes("node_modules/") && isPacked(name))
for (const example of examples) {
  const text = read(example)
  for (const match of text.matchAll(/(?:\bfrom|\bimport|\bimport\(|new URL\()\s*"(\.[^"]+)"/g)) {
    const [, target = ""] = match
    const file = Path.posix.join(Path.posix.dirname(example), target).replace(/\.js$/, ".ts")
    if (isPacked(file) && Fs.existsSync(Path.join(root, file))) continue
    problems.push(`${example}:${text.slice(0, match.index).split("\n").length}: ${target} is not in the package`)
  }
}

// as it is shown: what is for the other line is in comments
const length = read("README.md").replaceAll(/<!-- [\s\S]*?-->\n*/g, "").trimEnd().split("\n").length
if (length > readmeLines) problems.push(`README.md has ${length} lines: more than ${readmeLines}`)
for (const page of within("docs")) {
  if (!linked.has(page)) problems.push(`README.md does not link to ${page}`)
}

for (const problem of problems) console.error(problem)
console.log(
  `${checked} links in ${pages.length} documents and ${publicModules().length} modules, ${problems.length} problems`
)
if (problems.length > 0) process.exitCode = 1
