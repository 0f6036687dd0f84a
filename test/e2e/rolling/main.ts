/**
 * Rolling restarts behind a real proxy: `npm run rolling`, or `npm run rolling -- --proxy nginx --restarts 10`.
 */
import { cpus } from "node:os"
import { parseArgs } from "node:util"
import { Shutdown } from "../../../src/index.js"
import { median, table } from "../../support/table.js"
import { fileOf, needed, type ProxyName, proxyNames, version } from "./proxy.js"
import { type Restart, type Result, roll } from "./rolling.js"

const usage = `npm run rolling -- [options]

  --proxy NAME            haproxy, nginx, apache or caddy; default: all, one after the other
  --restarts N            how many, of the two instances in turn; default: 50
  --lame-duck MS          default: 5000, that of Shutdown.kubernetes
  --without-lame-duck     the same as --lame-duck 0
  --pause MS              between the return of one and the SIGTERM of the other; default: 0
  --without-retry         the proxy does not try the other instance when the first refuses the connection
  --as-go                 no lame duck, and idle connections are closed at once, as Go's Shutdown does
  --stock                 instances on @effect/platform-node, killed 10 seconds after SIGTERM

It ends with 0 where no request failed.`

const { values } = parseArgs({
  options: {
    proxy: { type: "string" },
    restarts: { type: "string", default: "50" },
    "lame-duck": { type: "string", default: "5000" },
    pause: { type: "string", default: "0" },
    "without-lame-duck": { type: "boolean", default: false },
    "without-retry": { type: "boolean", default: false },
    "as-go": { type: "boolean", default: false },
    stock: { type: "boolean", default: false },
    help: { type: "boolean", default: false }
  }
})

const number = (name: "lame-duck" | "pause" | "restarts"): number => {
  const value = Number(values[name])
  if (!Number.isSafeInteger(value) || value < 0) throw new Error(`--${name} is ${values[name]}\n\n${usage}`)
  return value
}

const isProxy = (name: string): name is ProxyName => proxyNames.some((known) => known === name)

const { "as-go": asGo, proxy, stock } = values
const proxies: ReadonlyArray<string> = proxy === undefined ? proxyNames : [proxy]
const withoutRetry = values["without-retry"]
const lameDuck = values["without-lame-duck"] ? 0 : number("lame-duck")
const restarts = number("restarts")
const pauseMs = number("pause")

const line = ({ exit, failed, sentForMs, tookMs }: Restart, nth: number) => {
  const parts = [
    `sent to for ${Math.round(sentForMs)} ms after SIGTERM`,
    `exited with ${exit.code ?? exit.signal} after ${Math.round(exit.msSinceSignal ?? Number.NaN)} ms`,
    `sent to again after ${Math.round(tookMs)} ms`,
    `${failed} failed`
  ]
  console.log(`restart ${nth}: ${parts.join(", ")}`)
}

const seconds = (values: ReadonlyArray<number>) =>
  `${(median(values) / 1000).toFixed(1)} (up to ${(Math.max(...values) / 1000).toFixed(1)})`

const rows = (result: Result): ReadonlyArray<readonly [string, string | number]> => [
  ["restarts", result.restarts.length],
  ["of them with exit code 0", result.restarts.filter(({ exit }) => exit.code === 0).length],
  ["minutes", (result.seconds / 60).toFixed(1)],
  ["requests", result.requests],
  ["of them POST", result.posts],
  [
    "answered with an error",
    [
      Object.entries(result.statuses).map(([status, count]) => `${count} × ${status}`).join(", ") || 0
    ].join("")
  ],
  [
    "reset, closed, refused, never answered",
    [
      result.reset,
      result.closed,
      result.refused,
      result.unanswered
    ].join(", ")
  ],
  ["orders executed whose client does not know", result.executedUnanswered],
  ["orders executed twice", result.executedAgain],
  ["**lost**", `**${result.failed}**`],
  ["the slowest answer, s", (result.slowestMs / 1000).toFixed(1)],
  ["the proxy sent to it after SIGTERM for, s", seconds(result.restarts.map(({ sentForMs }) => sentForMs))],
  ["from SIGTERM to exit, s", seconds(result.restarts.map(({ exit }) => exit.msSinceSignal ?? Number.NaN))]
]

if (values.help || !proxies.every(isProxy) || restarts === 0) {
  console.log(usage)
  process.exitCode = values.help ? 0 : 2
} else {
  console.log(`Node ${process.version} on ${cpus().length} × ${cpus()[0]?.model ?? "unknown"}`)
  for (const name of proxies.filter(isProxy)) {
    const title = [
      `${name} ${version(name)}`,
      `examples/deploy/${fileOf(name)}`,
      ...(withoutRetry ? ["without retry"] : []),
      ...(pauseMs > 0 ? [`pause ${pauseMs} ms`] : []),
      stock ? "instances on @effect/platform-node" : asGo ? "no lame duck, no grace" : `lame duck ${lameDuck} ms`
    ].join(", ")
    const { because, ms } = needed(name)
    console.log(`\n${title}\n${because}: a lame duck of ${ms} ms at the least.`)
    const result = await roll({
      proxy: name,
      restarts,
      policy: asGo ? { lameDuck: 0, idleGrace: 0, timeout: "20 seconds" } : Shutdown.kubernetes({ lameDuck }),
      pauseMs,
      withoutRetry,
      stock,
      graceMs: stock ? 10_000 : 30_000,
      onRestart: line
    })
    table(title, ["", ""], rows(result))
    for (const error of result.failed > 0 ? result.proxyErrors.slice(0, 20) : []) console.log(error)
    if (result.failed + result.executedUnanswered + result.executedAgain > 0) process.exitCode = 1
  }
}
