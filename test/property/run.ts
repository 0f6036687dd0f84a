/** Runs many histories in this process. */
import * as FastCheck from "fast-check"
import * as Fs from "node:fs"
import * as Os from "node:os"
import * as Path from "node:path"
import { deferred, waitFor } from "../support/wait.js"
import { type History, history, show } from "./history.js"
import { violations } from "./model.js"
import { type Played, playHistory } from "./play.js"

export interface Failure {
  readonly seed: number
  readonly path: string
  readonly history: string
  readonly violated: string
}

export interface Outcome {
  readonly histories: number
  readonly seed: number
  readonly seconds: number
  readonly commands: number
  /** How often each kind of command, phase, connection and outcome was there. */
  readonly counts: Record<string, number>
  readonly failures: ReadonlyArray<Failure>
}

export interface Options {
  readonly histories: number
  readonly seed?: number | undefined
  readonly onProgress?: ((done: number) => void) | undefined
  /** Begins with this one instead: where a failure was found, as it was told. */
  readonly path?: string | undefined
}

/** After so many failures, more of them say nothing new. */
const maxFailures = 5

/** How long one history may take, in milliseconds of real time. */
const limitMillis = 5000

/** How many histories are drawn from one seed. */
const batch = 100

export const randomSeed = (): number => Math.floor(Math.random() * 0x7fffffff)

/** Plays one, and returns what it has violated. */
export const check = async (
  history: History,
  directory: string,
  onPlayed: (counts: Record<string, number>) => void = () => {}
): Promise<ReadonlyArray<string>> => {
  const uncaught: Array<string> = []
  const onUncaught = (error: unknown) => {
    uncaught.push(`rule 8: uncaught ${error instanceof Error ? error.stack ?? error.message : String(error)}`)
  }
  process.on("uncaughtException", onUncaught)
  process.on("unhandledRejection", onUncaught)
  try {
    let doing = "nothing"
    // its timer is there before the history looks at what there is
    const { promise, reject, resolve } = deferred<Played>()
    const waited = waitFor(() => `a history that hangs in ${doing}`, promise, limitMillis)
    playHistory(history, directory, (what) => {
      doing = what
    }).then(resolve, reject)
    const { counts, facts } = await waited
    onPlayed(counts)
    return [...violations(facts), ...uncaught]
  } catch (error) {
    return [error instanceof Error ? error.stack ?? error.message : String(error), ...uncaught]
  } finally {
    process.off("uncaughtException", onUncaught)
    process.off("unhandledRejection", onUncaught)
  }
}

/** A directory for Unix sockets, which is gone afterwards. */
export const withDirectory = async <A>(use: (directory: string) => Promise<A>): Promise<A> => {
  // Node opens these when somebody looks at them first, and they are nobody's leak
  if (!process.stdout.writable || !process.stderr.writable) throw new Error("nothing can be told")
  const directory = Fs.mkdtempSync(Path.join(Os.tmpdir(), "quiesce-model-"))
  try {
    return await use(directory)
  } finally {
    Fs.rmSync(directory, { recursive: true, force: true })
  }
}

export const runHistories = (options: Options): Promise<Outcome> =>
  withDirectory((directory) => run(options, directory))

const run = async (options: Options, directory: string): Promise<Outcome> => {
  const { histories, onProgress, path, seed = randomSeed() } = options
  const startedAt = performance.now()
  const counts: Record<string, number> = {}
  const failures: Array<Failure> = []
  let commands = 0
  let done = 0
  const onPlayed = (played: Record<string, number>) => {
    for (const [what, by] of Object.entries(played)) {
      counts[what] = (counts[what] ?? 0) + by
      if (/^[A-Z]/.test(what)) commands += by
    }
  }
  let violated: ReadonlyArray<string> = []
  let shrinking = false
  const property = FastCheck.asyncProperty(history, async (history) => {
    violated = await check(history, directory, onPlayed)
    // not those that only make a counterexample shorter
    if (!shrinking) {
      done++
      onProgress?.(done)
    }
    shrinking ||= violated.length > 0
    if (violated.length > 0) throw new Error(violated.join("\n"))
  })
  for (let from = 0; from < histories && failures.length < maxFailures; from += batch) {
    shrinking = false
    const result = await FastCheck.check(property, {
      seed: seed + from,
      numRuns: Math.min(batch, histories - from),
      ...(path === undefined ? {} : { path })
    })
    if (!result.failed || result.counterexample === null) continue
    const [found] = result.counterexample
    failures.push({
      seed: seed + from,
      path: result.counterexamplePath ?? "",
      history: found === undefined ? "" : show(found),
      violated: result.errorInstance instanceof Error ? result.errorInstance.message : violated.join("\n")
    })
  }
  return {
    histories: done,
    seed,
    seconds: (performance.now() - startedAt) / 1000,
    commands,
    counts,
    failures
  }
}
