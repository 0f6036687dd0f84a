/**
 * Source maps of what was written for Effect 4, so that whoever compiles, bundles or runs it names places in the sources.
 */
const digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
/** A number of a source map. */
const encode = (number) => {
  let rest = number < 0 ? (-number << 1) | 1 : number << 1
  let text = ""
  do {
    const digit = rest & 31
    rest >>>= 5
    text += digits[rest > 0 ? digit | 32 : digit]
  } while (rest > 0)
  return text
}

/** The source map of an edited text, from its words to those of `source`. */
export const sourceMap = (source, text, edited) => {
  const starts = [0]
  for (let at = text.indexOf("\n"); at >= 0; at = text.indexOf("\n", at + 1)) starts.push(at + 1)
  /** The line and the column of an offset of the source, both counted from 0. */
  const place = (offset) => {
    let low = 0
    for (let high = starts.length; high - low > 1;) {
      const middle = (low + high) >> 1
      if (starts[middle] <= offset) low = middle
      else high = middle
    }
    return [low, offset - starts[low]]
  }
  let lastLine = 0
  let lastColumn = 0
  let at = 0
  const lines = edited.text.split("\n").map((words) => {
    let last = 0
    const segments = [...words.matchAll(/\w+|[^\w\s]/g)].map(({ index }) => {
      const [line, column] = place(edited.origins[at + index])
      const segment = encode(index - last) + encode(0) + encode(line - lastLine) + encode(column - lastColumn)
      last = index
      lastLine = line
      lastColumn = column
      return segment
    })
    at += words.length + 1
    return segments.join(",")
  })
  return { version: 3, sources: [source], names: [], mappings: lines.join(";") }
}

/** The map as the comment at the end of a file that compilers, bundlers and vitest read. */
export const mapComment = (source, text, edited) =>
  `//# sourceMappingURL=data:application/json;base64,${
    Buffer.from(JSON.stringify(sourceMap(source, text, edited))).toString("base64")
  }\n`

/** A file of the tree without it. */
export const withoutMap = (text) => text.replace(/^\/\/# sourceMappingURL=data:.*\n/m, "")
