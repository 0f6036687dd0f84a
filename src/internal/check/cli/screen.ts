/**
 * What is printed while a check runs: a row for each scenario, and in a terminal a last line with what goes on.
 */
import { clearInterval, setInterval } from "../../node/timers.js"
import type { Progress } from "../model.js"
import type { Style } from "../report/style.js"
import { offerLine, row } from "../report/text.js"
import { seconds } from "../run/stage.js"
import { now } from "../wait.js"

export interface Output {
  readonly write: (text: string) => void
  readonly isTerminal: boolean
  readonly width: number
}

export interface Screen {
  readonly onProgress: (progress: Progress) => void
  readonly print: (text: string) => void
  /** The last line goes, and nothing more is drawn. */
  readonly end: () => void
}

const frames = ["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"]
const frameMillis = 120

export const screenOf = (output: Output, style: Style, command: string): Screen => {
  const running = new Set<string>()
  let all = 0
  let finished = 0
  let endsAt: number | undefined
  let frame = 0
  const erase = () => output.isTerminal && output.write("\r\x1b[K")
  const draw = () => {
    if (!output.isTerminal) return
    const left = endsAt === undefined ? "" : `, about ${Math.max(1, Math.round((endsAt - now()) / 1000))} s left`
    const what = all === 0 ? "starts" : `${finished} of ${all}${left}: ${[...running].join(", ")}`
    output.write(`\r\x1b[K${style.dim(`${frames[frame++ % frames.length]} ${what}`.slice(0, output.width - 1))}`)
  }
  const print = (text: string) => {
    erase()
    output.write(`${text}\n`)
    draw()
  }
  output.write(`${style.bold(`quiesce check: ${command}`)}\n`)
  const timer = output.isTerminal ? setInterval(draw, frameMillis) : undefined
  return {
    print,
    onProgress: (progress) => {
      switch (progress._tag) {
        case "Offered": {
          all = progress.scenarios.length
          endsAt = now() + progress.leftMillis
          print(`  ${offerLine(progress.offer)}; about ${seconds(progress.leftMillis)} for ${all} scenarios\n`)
          break
        }
        case "Started": {
          running.add(progress.name)
          break
        }
        case "Finished": {
          running.delete(progress.result.name)
          finished++
          endsAt = now() + progress.leftMillis
          // those are told of together, at the end
          if (progress.result.unasked !== "notOffered") {
            print(row(style, progress.result, output.isTerminal ? output.width : undefined))
          }
        }
      }
    },
    end: () => {
      if (timer !== undefined) clearInterval(timer)
      erase()
    }
  }
}
