/**
 * A text that is being edited, and where in the first text each of its characters comes from.
 */
export class Edited {
  constructor(text) {
    this.text = text
    /** For each character its offset in the first text; what was written anew has that of what it stands for. */
    this.origins = Array.from({ length: text.length + 1 }, (_, at) => at)
  }

  /** Replaces ranges of the text, as `{ from, to, text }`, which do not overlap. */
  edit(edits) {
    const texts = []
    const origins = []
    let at = 0
    for (const { from, text, to } of edits.toSorted((a, b) => a.from - b.from)) {
      if (from < at) throw new Error(`two edits of one place: ${JSON.stringify(this.text.slice(from, to))}`)
      texts.push(this.text.slice(at, from), text)
      for (let i = at; i < from; i++) origins.push(this.origins[i])
      for (let i = 0; i < text.length; i++) origins.push(this.origins[from])
      at = to
    }
    texts.push(this.text.slice(at))
    for (let i = at; i < this.origins.length; i++) origins.push(this.origins[i])
    this.text = texts.join("")
    this.origins = origins
  }

  /** As `String.prototype.replace`, with a function or a text as it is for what is found. */
  replace(pattern, replacement) {
    const edits = []
    this.text.replace(pattern, (...found) => {
      const [matched, ...rest] = found
      const from = rest.find((value) => typeof value === "number")
      const text = typeof replacement === "function" ? replacement(...found) : replacement
      if (text !== matched) edits.push({ from, to: from + matched.length, text })
      return matched
    })
    if (edits.length > 0) this.edit(edits)
    return this
  }
}

/** The line and the column of an offset, both counted from 1. */
export const positionOf = (text, offset) => {
  const before = text.slice(0, offset)
  return { line: before.split("\n").length, column: offset - before.lastIndexOf("\n") }
}
