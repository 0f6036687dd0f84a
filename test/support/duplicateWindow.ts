/**
 * When another signal is no duplicate of the last one any more (`src/internal/signals/duplicates.ts`): half a second after
 * it, without the time in which the process could not read signals.
 */
import * as Fs from "node:fs"
import { now, pace } from "./wait.js"

/** Half a second, and as long again for what the event loop does. */
const windowMillis = 1000

/** How long a process has waited for a processor by now, as Linux counts it; 0 where nobody does. */
const waited = (pid: number): number => {
  try {
    return Number(Fs.readFileSync(`/proc/${pid}/schedstat`, "utf8").split(" ")[1]) / 1e6
  } catch {
    return 0
  }
}

export const afterDuplicateWindow = async ({ pid }: { readonly pid: number }): Promise<void> => {
  const [begun, before] = [now(), waited(pid)]
  const left = () => windowMillis - (now() - begun) + Math.max(0, waited(pid) - before)
  for (let millis = left(); millis > 0; millis = left()) await pace(millis)
}
