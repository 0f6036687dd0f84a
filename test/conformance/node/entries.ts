/** The tables of `src/internal/node/internals.ts` and `patch.ts`: what the comment of each function there says. */
import * as Fs from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"

export const root = fileURLToPath(new URL("../../../", import.meta.url))

const folder = join(root, "src/internal/node")

/** A line of a comment, `- Reads: …`, by what comes before its colon. */
export interface Entry {
  readonly name: string
  readonly says: ReadonlyMap<string, string>
}

/** A comment and the function behind it. */
const documented = /\/\*\*((?:(?!\*\/)[\s\S])*)\*\/\nexport const (\w+)/g

const linesOf = (comment: string): ReadonlyMap<string, string> =>
  new Map(
    comment.replaceAll(/^ \* ?/gm, "").split(/^- /m).slice(1).map((line) => {
      const text = line.trim().replaceAll(/\s+/g, " ")
      const colon = text.indexOf(": ")
      return [text.slice(0, colon), text.slice(colon + 2)]
    })
  )

export const entriesOf = (file: "internals.ts" | "patch.ts"): ReadonlyArray<Entry> =>
  Array.from(
    Fs.readFileSync(join(folder, file), "utf8").matchAll(documented),
    ([, comment = "", name = ""]) => ({ name, says: linesOf(comment) })
  )

export const pinnedBy = ({ says }: Entry): ReadonlyArray<string> =>
  Array.from((says.get("Pinned by") ?? "").matchAll(/`([^`]+)`/g), ([, path = ""]) => path)

/**
 * Whether a version of Node has what is there since these: `22.21, 24.9` is so of 22.21, 24.9, 26 and 28, and not of 20,
 * 23 and 24.8. All have what says nothing of it.
 */
export const hasSince = (since: string | undefined, version = process.versions.node): boolean => {
  if (since === undefined) return true
  const [major = 0, minor = 0] = version.split(".").map(Number)
  const all = since.split(", ").map((each) => each.split(".").map(Number))
  const same = all.find(([of]) => of === major)
  return same === undefined ? all.every(([of = 0]) => of < major) : minor >= (same[1] ?? 0)
}

/** What a test says that it pins: `// Pins internal/node: handleOf, serverEmit`, on one line or on several. */
export const pins = (text: string): ReadonlyArray<string> =>
  Array.from(text.matchAll(/^\/\/ Pins internal\/node: (.+)$/gm), ([, names = ""]) => names.split(", ")).flat()
