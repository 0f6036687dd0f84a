/** A terminal that is not there: what has been written to it, as a person would see it. */
import { Writable } from "node:stream"
import type { WriteStream } from "node:tty"

export interface Screen {
  readonly out: WriteStream
  /** The lines that are to be seen. */
  readonly rows: () => ReadonlyArray<string>
  readonly writes: () => number
}

export const makeScreen = ({ columns = 80, isTTY = true } = {}): Screen => {
  const rows: Array<string> = [""]
  let at = 0
  let writes = 0
  const write = (text: string) => {
    writes++
    // what we use: to the beginning of the line, up, and clear from there
    for (const [token, up] of text.matchAll(/\p{Cc}\[(\d+)A|\p{Cc}\[J|\p{Cc}\[\d+m|[^]/gu)) {
      if (up !== undefined) at -= Number(up)
      else if (token === "\u001b[J") rows.splice(at, Infinity, "")
      else if (token === "\n") rows[++at] ??= ""
      else if (token.length === 1 && token !== "\r") rows[at] += token
    }
    if (at < 0) throw new Error(`above the first row: ${JSON.stringify(text)}`)
  }
  const stream = new Writable({
    decodeStrings: false,
    write: (chunk, _, done) => {
      write(String(chunk))
      done()
    }
  })
  const terminal = Object.assign(stream, { isTTY, columns, rows: 24, hasColors: () => false })
  return {
    out: terminal as unknown as WriteStream,
    rows: () => rows.slice(0, rows.at(-1) === "" ? -1 : undefined),
    writes: () => writes
  }
}
