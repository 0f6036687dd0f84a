/**
 * What a program without Effect does when everything has been served: the `close` of its frameworks, and its `finally`.
 * One that hangs is said, and is given up where there is a limit.
 */
import * as Duration from "effect/Duration"
import { FinallyTimedOut } from "../model/finallyTimedOut.js"
import { printMillis } from "../model/text.js"
import { clearTimeout, setTimeout } from "../node/timers.js"
import { sayAgain } from "../signals/finalizing.js"

export interface LastTask {
  readonly name: string
  readonly run: () => unknown
}

/** Runs all together, and returns what they failed with. */
export const failuresOf = async (
  tasks: ReadonlyArray<LastTask>,
  limit: number,
  warn: (message: string) => void
): Promise<Array<unknown>> => {
  const ended = await Promise.allSettled(tasks.map((task) => watched(task, limit, warn)))
  return ended.flatMap((end) => end.status === "rejected" ? [end.reason] : [])
}

const watched = async ({ name, run }: LastTask, limit: number, warn: (message: string) => void): Promise<void> => {
  const bound = Number.isFinite(limit)
    ? `it is given up after ${printMillis(limit)}`
    : "the process waits for it, and nothing bounds that (`finallyTimeout`)"
  const saying = sayAgain((seconds) => warn(`${name} has not finished after ${seconds} s: ${bound}`))
  let timer: NodeJS.Timeout | undefined
  try {
    const done = (async () => void await run())()
    await (Number.isFinite(limit)
      ? Promise.race([
        done,
        new Promise<never>((_, reject) => {
          const fail = () => reject(new FinallyTimedOut({ task: name, limit: Duration.millis(limit) }))
          // a process that has nothing else to wait for ends
          timer = setTimeout(fail, Math.min(limit, 2 ** 31 - 1)).unref()
        })
      ])
      : done)
  } finally {
    saying.stop()
    clearTimeout(timer)
  }
}
