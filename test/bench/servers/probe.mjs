/**
 * Loaded before every Node server that is measured (`--import`), the same for all: answers what the benchmark asks over
 * IPC without keeping the process alive, and measures how long the event loop stood still, and how much CPU time it took.
 */
import { writeSync } from "node:fs"

const garbageFree = () => {
  for (let i = 0; i < 4; i++) globalThis.gc?.()
  const { external, heapUsed, rss } = process.memoryUsage()
  return { heap: heapUsed + external, rss }
}

const arm = () => {
  const before = process.cpuUsage()
  let longest = 0
  let last = performance.now()
  const tick = () => {
    const now = performance.now()
    longest = Math.max(longest, now - last)
    last = now
  }
  setInterval(tick, 1).unref()
  // What stood still until the process ended counts, too.
  process.once("exit", () => {
    tick()
    const { system, user } = process.cpuUsage(before)
    writeSync(1, `\n${JSON.stringify({ cpuMs: (system + user) / 1000, stallMs: longest })}\n`)
  })
  return true
}

const answers = { arm, cpu: () => process.cpuUsage(), memory: garbageFree }

if (process.send !== undefined) {
  process.on("message", (question) => process.send(answers[question]()))
  process.channel.unref()
}
