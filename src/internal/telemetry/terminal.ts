/**
 * A few lines at the bottom of a terminal that are drawn again and again, below whatever else is written to it.
 */
import type { WriteStream } from "node:tty"
import { stripVTControlCharacters } from "node:util"
import * as Patch from "../node/patch.js"
import { setImmediate } from "../node/timers.js"

export interface Terminal {
  /** Replaces the lines; none takes them away. */
  readonly draw: (lines: ReadonlyArray<string>) => void
  /** Takes the lines away, and leaves the terminal to others. */
  readonly close: () => void
}

/** Whether lines can be drawn again: a dumb terminal has no way back. */
export const isLive = (out: WriteStream): boolean => out.isTTY && process.env["TERM"] !== "dumb"

/** What others write to one of `streams`, while there are lines, goes above them. */
export const make = (out: WriteStream, streams: ReadonlyArray<WriteStream>): Terminal => {
  let lines: ReadonlyArray<string> = []
  let rows = 0
  /** Somebody else has begun a line, and would find ours in the middle of it. */
  let begun = false
  let write = out.write
  let restores: ReadonlyArray<() => void> | undefined

  // a line that wraps would take two rows, and be erased by half
  const fit = (line: string) => {
    const plain = stripVTControlCharacters(line)
    // a terminal that does not know its size says 0
    const columns = out.columns || 80
    return plain.length < columns ? line : `${plain.slice(0, Math.max(1, columns - 2))}…`
  }
  const erased = () => {
    const back = rows === 0 ? "" : `\r\u001b[${rows}A\u001b[J`
    rows = 0
    return back
  }
  const drawn = () => {
    if (begun) return ""
    const fitting = lines.slice(0, Math.max(1, (out.rows || 24) - 2)).map(fit)
    rows = fitting.length
    return fitting.map((line) => `${line}\n`).join("")
  }
  const put = (text: string) => {
    if (text !== "") Reflect.apply(write, out, [text])
  }

  /** Makes what is written to a stream go above the lines; returns how to give it back. */
  const wrap = (stream: WriteStream) => {
    const { write } = stream
    const restore = Patch.terminalWrite(stream, (...args) => {
      put(erased())
      const accepted: boolean = Reflect.apply(write, stream, args)
      begun = !endsLine(args[0])
      put(drawn())
      return accepted
    })
    // a terminal that has gone away must not end the process
    stream.on("error", ignore)
    return () => {
      setImmediate(() => stream.off("error", ignore))
      restore()
    }
  }

  return {
    draw: (next) => {
      if (restores === undefined) {
        write = out.write
        restores = [...new Set([out, ...streams])].filter(isLive).map(wrap)
      }
      lines = next
      put(erased() + drawn())
    },
    close: () => {
      lines = []
      put(erased())
      for (const restore of restores ?? []) restore()
      restores = undefined
    }
  }
}

const ignore = () => {}

const endsLine = (chunk: unknown): boolean =>
  typeof chunk === "string" ? chunk === "" || chunk.endsWith("\n") : chunk instanceof Uint8Array && chunk.at(-1) === 10
