/** `node --import tsx test/property/main.ts --histories 10000 [--seed S] [--workers 2] [--replay "seed:path"]` */
import { fork } from "node:child_process"
import { fileURLToPath } from "node:url"
import { parseArgs } from "node:util"
import { type Outcome, randomSeed, runHistories } from "./run.js"

const { values } = parseArgs({
  options: {
    histories: { type: "string", default: "10000" },
    seed: { type: "string" },
    workers: { type: "string", default: "2" },
    replay: { type: "string" },
    worker: { type: "boolean", default: false },
    help: { type: "boolean", default: false }
  }
})
if (values.help) {
  console.log(
    `node --import tsx test/property/main.ts [--histories 10000] [--seed S] [--workers 2] [--replay "seed:path"]`
  )
  process.exit(0)
}

/** How often progress is told, in histories. */
const often = 500

type Message = { readonly done: number } | { readonly outcome: Outcome }

const show = ({ commands, counts, failures, histories, seconds, seed }: Outcome): void => {
  console.log(`${histories} histories, ${commands} commands, ${seconds.toFixed(1)} s, seed ${seed}`)
  for (const [what, times] of Object.entries(counts).sort(([a], [b]) => a.localeCompare(b))) {
    console.log(`  ${what}: ${times}`)
  }
  for (const { history, path, seed, violated } of failures) {
    console.log(`\nFAILED, replay with --replay "${seed}:${path}"\n${violated}\n${history}`)
  }
  console.log(failures.length === 0 ? "every rule held" : `${failures.length} counterexamples`)
}

const inWorker = (histories: number, seed: number, onDone: (done: number) => void): Promise<Outcome> =>
  new Promise((resolve, reject) => {
    const args = ["--worker", "--histories", String(histories), "--seed", String(seed)]
    const child = fork(fileURLToPath(import.meta.url), args)
    let outcome: Outcome | undefined
    child.on("message", (message: Message) => {
      if ("done" in message) onDone(message.done)
      else outcome = message.outcome
    })
    child.on("error", reject)
    child.on("exit", (code) => {
      if (outcome === undefined) reject(new Error(`a worker ended with ${code}, and without an outcome`))
      else resolve(outcome)
    })
  })

const inWorkers = async (histories: number, seed: number, workers: number): Promise<Outcome> => {
  const startedAt = performance.now()
  const each = Math.ceil(histories / workers)
  const done = Array<number>(workers).fill(0)
  let told = 0
  const outcomes = await Promise.all(done.map((_, n) =>
    // the seeds of one worker follow upon another's
    inWorker(Math.min(each, histories - n * each), seed + n * each, (count) => {
      done[n] = count
      const all = done.reduce((a, b) => a + b)
      if (all < told + often) return
      told = all
      console.log(`${all} of ${histories} after ${((performance.now() - startedAt) / 1000).toFixed(0)} s`)
    })
  ))
  const counts: Record<string, number> = {}
  for (const outcome of outcomes) {
    for (const [what, times] of Object.entries(outcome.counts)) counts[what] = (counts[what] ?? 0) + times
  }
  return {
    histories: outcomes.reduce((sum, { histories }) => sum + histories, 0),
    seed,
    seconds: (performance.now() - startedAt) / 1000,
    commands: outcomes.reduce((sum, { commands }) => sum + commands, 0),
    counts,
    failures: outcomes.flatMap(({ failures }) => failures)
  }
}

const main = async (): Promise<void> => {
  const histories = Number(values.histories)
  const seed = values.seed === undefined ? randomSeed() : Number(values.seed)
  if (values.worker) {
    const onProgress = (done: number) => {
      if (done % 50 === 0) process.send?.({ done })
    }
    const outcome = await runHistories({ histories, seed, onProgress })
    process.send?.({ outcome }, () => process.disconnect())
    return
  }
  const [replaySeed, ...path] = values.replay?.split(":") ?? []
  const outcome = replaySeed === undefined
    ? await inWorkers(histories, seed, Number(values.workers))
    : await runHistories({ histories: 1, seed: Number(replaySeed), path: path.join(":") })
  show(outcome)
  if (outcome.failures.length > 0) process.exitCode = 1
}

await main()
