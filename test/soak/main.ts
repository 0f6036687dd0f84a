// Minutes of mixed load with a shutdown and a restart every few seconds, in one process, and what it has left behind:
//   npm run soak -- [--minutes 5] [--seconds <n>] [--json]
// Prints one page, and exits with 1 if anything leaked, or anybody was not served.
import * as Os from "node:os"
import { parseArgs } from "node:util"
import { type Result, soak, watched } from "./soak.js"

const { values } = parseArgs({
  options: {
    minutes: { type: "string", default: "5" },
    seconds: { type: "string" },
    json: { type: "boolean", default: false },
    help: { type: "boolean", default: false }
  }
})
if (values.help) {
  console.log("npm run soak -- [--minutes 5] [--seconds <n>] [--json]")
  process.exit(0)
}
const seconds = values.seconds === undefined ? Number(values.minutes) * 60 : Number(values.seconds)
if (!(seconds > 0)) throw new Error("how long? --minutes 5")

const megabytes = (bytes: number) => `${(bytes / 1024 / 1024).toFixed(1)} MB`

const page = (result: Result): string => {
  const { between: [early, late], growers, heapBytes: [before, after], tally } = result
  return [
    "quiesce: soak",
    "",
    `  ${result.cycles} cycles in ${
      Math.round(result.seconds)
    } s, each: three servers start (an Effect app, an adopted express`,
    "  with ws, HTTP/2), mixed load, shutdown in the middle of it.",
    "",
    `  shutdowns            ${Object.entries(result.outcomes).map(([name, count]) => `${count} ${name}`).join(", ")}`,
    `  slowest              ${Math.round(result.slowestShutdownMillis)} ms`,
    `  requests answered    ${tally.answered}, compared byte by byte`,
    `  streams of 2 MiB     ${tally.streams}, to fast and to slow readers`,
    `  WebSockets           ${tally.webSockets}, ${tally.messages} messages, each closed with 1001`,
    `  streams of HTTP/2    ${tally.http2}`,
    `  clients that left    ${tally.aborted} in the middle of a request or an answer`,
    `  wronged              ${tally.wronged.length}`,
    "",
    `  heap                 ${megabytes(before)} after ${early} cycles, ${megabytes(after)} after ${late}`,
    `  of ${watched.length} classes that servers, connections, requests, fibers and timers are made of, grown: ${
      result.leaked.length === 0 ? "none" : result.leaked.map(({ name }) => name).join(", ")
    }`,
    `  handles, listeners   ${Object.keys(result.handles).length === 0 ? "none left" : JSON.stringify(result.handles)}`,
    "",
    "  what has grown most",
    ...growers.map(({ after, before, name }) => `    ${name.slice(0, 40).padEnd(42)}${before} → ${after}`),
    "",
    `  Node ${process.versions.node}, ${Os.cpus().length} × ${Os.cpus()[0]?.model ?? "unknown"}, ${process.platform}`,
    result.failures.length === 0 ? "  nothing leaked, everybody was served" : "  FAILED",
    ...result.failures.slice(0, 20).map((failure) => `    ${failure.slice(0, 300)}`)
  ].join("\n")
}

const result = await soak({
  seconds,
  ...(process.stderr.isTTY ? { onCycle: (cycle: number) => void process.stderr.write(`\rcycle ${cycle}`) } : undefined)
})
if (process.stderr.isTTY) process.stderr.write("\r")
console.log(values.json ? JSON.stringify(result) : page(result))
process.exitCode = result.failures.length === 0 ? 0 : 1
