/**
 * Says that a program which is to end has not: its servers have closed, and a finalizer of something else hangs.
 */
import { clearTimeout, machineMillis, setTimeout } from "../node/timers.js"

/** How long what comes after the drain takes before a word is said of it. */
export const patienceMillis = 2000

/** Said again after longer and longer, up to this. */
const longestMillis = 10_000

/** Calls `say` with the seconds that have passed, first after a while, and then again and again. */
export const sayAgain = (say: (seconds: number) => void): { readonly stop: () => void } => {
  const since = machineMillis()
  let waits = patienceMillis
  const tell = () => {
    say(Math.round((machineMillis() - since) / 1000))
    waits = Math.min(longestMillis, waits * 1.5)
    timer = setTimeout(tell, waits).unref()
  }
  let timer = setTimeout(tell, waits).unref()
  return { stop: () => clearTimeout(timer) }
}

/** How often it looks whether a server is still open. */
const lookMillis = 100

/** Says it once nothing has been draining for a while, until it is told to stop. */
export const sayWhatRuns = (
  isDraining: () => boolean,
  warn: (message: string) => void
): { readonly stop: () => void } => {
  const say = (seconds: number) =>
    warn(
      `No server is open, and the program has not ended after ${seconds} s: a finalizer, or what comes after the `
        + "launch, still runs. A further signal ends the process"
    )
  let saying: { readonly stop: () => void } | undefined
  const look = () => {
    if (isDraining()) timer = setTimeout(look, lookMillis).unref()
    else saying = sayAgain(say)
  }
  let timer = setTimeout(look, 0).unref()
  return {
    stop: () => {
      clearTimeout(timer)
      saying?.stop()
    }
  }
}
