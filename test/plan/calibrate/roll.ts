/**
 * Two instances behind a real proxy, restarted in turn, and what was lost around each restart.
 */
import type { Policy } from "../../../src/Shutdown.js"
import { freeBackends, type ProxyName, startProxy } from "../../e2e/rolling/proxy.js"
import { type Child, start, startLimit } from "../../support/child.js"
import { median } from "../../support/table.js"
import { now, pace } from "../../support/wait.js"
import type { Options as InstanceOptions } from "./instance.js"
import type { LoadOptions, Sent } from "./load.js"

export interface RollOptions {
  readonly proxy: ProxyName
  readonly withoutRetry: boolean
  readonly policy: Policy | undefined
  readonly restarts: number
  /** Between the end of a process and the start of the next one. */
  readonly away: number
  /** Between the moment at which one listens again and the signal of the other. */
  readonly pause: number
  readonly load: Omit<LoadOptions, "port">
}

export interface Rolled {
  readonly lostByRestart: ReadonlyArray<number>
  readonly sent: number
  /** By status; those without an answer under 0. */
  readonly statuses: Readonly<Record<number, number>>
  /** Between the end of a process and the moment at which the next one listens: the mean. */
  readonly awayMillis: number
  /** Between the signal and the end of a process: the median, since whoever waits for it may be late. */
  readonly endMillis: number
  readonly perSecond: number
  /** How long answers took: what was asked for, and what a busy machine has added. */
  readonly durations: ReadonlyArray<number>
}

/** From the signal to the end of the process. */
const stop = async (child: Child): Promise<number> => {
  child.signal("SIGTERM")
  return (await child.exit(30_000)).msSinceSignal ?? 0
}

const requests = {
  start: async (options: LoadOptions): Promise<Child> => {
    const child = start(new URL("./load.ts", import.meta.url), [JSON.stringify(options)])
    await child.line("started", startLimit)
    return child
  },
  end: async (child: Child): Promise<ReadonlyArray<Sent>> => {
    child.write("end\n")
    return (await child.line("ended", 20_000))["sent"] as ReadonlyArray<Sent>
  }
}

export const rollOnce = async (options: RollOptions): Promise<Rolled> => {
  const { away, load, pause, policy, proxy: name, restarts, withoutRetry } = options
  const backends = await freeBackends(name)
  const children: Array<Child> = []
  const launch = async (nth: number) => {
    const options: InstanceOptions = { ...backends[nth % 2 === 0 ? 0 : 1], ...(policy === undefined ? {} : { policy }) }
    const child = start(new URL("./instance.ts", import.meta.url), [JSON.stringify(options)])
    children[nth % 2] = child
    await child.listening(startLimit)
  }
  await Promise.all([launch(0), launch(1)])
  const proxy = await startProxy({ name, backends, withoutRetry })
  try {
    await pace(pause)
    const running = await requests.start({ ...load, port: proxy.port })
    children[2] = running
    await pace(pause)
    const begun: Array<number> = []
    const aways: Array<number> = []
    const ends: Array<number> = []
    for (let nth = 0; nth < restarts; nth++) {
      const child = children[nth % 2]
      if (child === undefined) throw new Error("it has not been started")
      begun.push(now())
      ends.push(await stop(child))
      const endedAt = now()
      await pace(away)
      await launch(nth)
      aways.push(now() - endedAt)
      await pace(pause)
    }
    return accountOf(await requests.end(running), begun, aways, ends)
  } finally {
    await proxy.stop()
    await Promise.all(children.map((child) => child.kill()))
  }
}

const meanOf = (values: ReadonlyArray<number>) => values.reduce((sum, one) => sum + one, 0) / values.length

const accountOf = (
  sent: ReadonlyArray<Sent>,
  begun: ReadonlyArray<number>,
  aways: ReadonlyArray<number>,
  ends: ReadonlyArray<number>
): Rolled => {
  const lostByRestart = begun.map(() => 0)
  const statuses: Record<number, number> = {}
  for (const { at, millis, status = 0 } of sent) {
    statuses[status] = (statuses[status] ?? 0) + 1
    if (status === 200) continue
    // a request belongs to the restart that was going on when it failed
    const nth = begun.findLastIndex((time) => time <= at + millis)
    lostByRestart[Math.max(0, nth)] = (lostByRestart[Math.max(0, nth)] ?? 0) + 1
  }
  const first = sent[0]?.at ?? 0
  const last = sent.at(-1)?.at ?? 0
  return {
    lostByRestart,
    sent: sent.length,
    statuses,
    awayMillis: meanOf(aways),
    endMillis: median(ends),
    perSecond: sent.length / (last - first) * 1000,
    durations: sent.filter(({ status }) => status === 200).map(({ millis }) => millis)
  }
}
