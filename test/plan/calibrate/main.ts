/**
 * The simulation of `quiesce plan` against HAProxy and nginx: `npm run plan:calibrate`. Each row is a rolling restart that
 * really happens, and the prediction of the same one.
 */
import * as Effect from "effect/Effect"
import { cpus } from "node:os"
import { parseArgs } from "node:util"
import type { Balancer, Fleet, Stop } from "../../../src/internal/plan/model.js"
import { simulate } from "../../../src/internal/plan/simulate.js"
import { meanInterval } from "../../../src/internal/plan/statistics.js"
import { resolve } from "../../../src/internal/policy/policy.js"
import { kubernetes } from "../../../src/promise.js"
import type { Policy } from "../../../src/Shutdown.js"
import { version } from "../../e2e/rolling/proxy.js"
import { table } from "../../support/table.js"
import { type Rolled, rollOnce, type RollOptions } from "./roll.js"

const { values } = parseArgs({
  options: {
    restarts: { type: "string", default: "10" },
    only: { type: "string" },
    seed: { type: "string", default: "1" }
  }
})
const restarts = Number(values.restarts)
const seed = Number(values.seed)

// in so long a time, what a busy machine adds is little
const load = { perSecond: 60, shortest: 500, longest: 1500, getShare: 0.5, seed }
const away = 3000
const pause = 3500

/** examples/deploy/haproxy.cfg */
const haproxy: Balancer = {
  learns: { _tag: "Checks", interval: 1000, fall: 2, rise: 1 },
  views: 1,
  connections: "balancer",
  idleTimeout: 5000,
  retries: 3,
  resendsGet: false,
  roundTrip: 0.1
}

/** examples/deploy/nginx.conf, with a worker for each core */
const nginx: Balancer = {
  learns: { _tag: "Refused", failTimeout: 1000 },
  views: cpus().length,
  connections: "balancer",
  idleTimeout: 4000,
  retries: 1,
  resendsGet: true,
  roundTrip: 0.1
}

interface Trial {
  readonly name: string
  readonly proxy: "haproxy" | "nginx"
  readonly withoutRetry?: boolean
  /**
   * Clients send one request on a connection. HAProxy sends the first request of a client on a connection of its own, so
   * that it uses none again.
   */
  readonly fresh?: boolean
  readonly policy?: Policy
}

const grace = 30_000

const trials: ReadonlyArray<Trial> = [
  { name: "ends at SIGTERM", proxy: "haproxy" },
  { name: "ends at SIGTERM, no retry", proxy: "haproxy", withoutRetry: true },
  {
    name: "quiesce, no lame duck, no retry, new connections",
    proxy: "haproxy",
    withoutRetry: true,
    fresh: true,
    policy: kubernetes({ lameDuck: 0 })
  },
  { name: "quiesce, lame duck of 3 s", proxy: "haproxy", policy: kubernetes({ lameDuck: "3 seconds" }) },
  { name: "ends at SIGTERM", proxy: "nginx" },
  { name: "ends at SIGTERM, no retry", proxy: "nginx", withoutRetry: true },
  { name: "quiesce, no lame duck", proxy: "nginx", policy: kubernetes({ lameDuck: 0 }) }
]

/** All rows together are right in 95 of 100 runs (Bonferroni). */
const confidence = 1 - 0.05 / trials.length

const predicted = (
  { fresh, policy, proxy, withoutRetry }: Trial,
  { awayMillis, durations, endMillis, perSecond }: Rolled
): number => {
  const known = proxy === "nginx" ? nginx : fresh === true ? { ...haproxy, idleTimeout: 0 } : haproxy
  const stop: Stop = policy === undefined
    ? { _tag: "Exit", takes: endMillis }
    : { _tag: "Drain", policy: Effect.runSync(resolve(policy)) }
  const fleet: Fleet = {
    instances: 2,
    stop,
    keepAliveTimeout: 5000,
    grace,
    // measured, as are rate, durations and the time that a process takes to end: they are what the simulation is told
    startTime: awayMillis,
    balancer: withoutRetry === true ? { ...known, retries: 0, resendsGet: false } : known,
    load: {
      perSecond,
      getShare: load.getShare,
      freshShare: 0,
      classes: [{
        share: 1,
        longest: durations.reduce((longest, one) => Math.max(longest, one), 0),
        sample: (random) => durations[random.below(durations.length)] ?? 0
      }]
    },
    rollout: { _tag: "InPlace", atOnce: 1, pause }
  }
  const lost = Array.from({ length: 1000 }, (_, nth) => simulate(fleet, seed + nth)).flatMap((one) => one.lostByRestart)
  return meanInterval(lost).mean
}

const run = async (trial: Trial) => {
  const options: RollOptions = {
    proxy: trial.proxy,
    withoutRetry: trial.withoutRetry === true,
    policy: trial.policy,
    restarts,
    away,
    pause,
    load: { ...load, fresh: trial.fresh === true }
  }
  const rolled = await rollOnce(options)
  const seen = meanInterval(rolled.lostByRestart, confidence)
  const prediction = predicted(trial, rolled)
  console.error(
    `${trial.proxy}, ${trial.name}: ${rolled.lostByRestart.join(" ")}; ${JSON.stringify(rolled.statuses)}; ${
      rolled.perSecond.toFixed(1)
    } requests a second of ${
      Math.round(rolled.durations.reduce((sum, one) => sum + one, 0) / rolled.durations.length)
    } ms, ends after ${Math.round(rolled.endMillis)} ms, away for ${Math.round(rolled.awayMillis)} ms`
  )
  const isWithin = seen.low <= prediction && prediction <= seen.high
  return {
    isWithin,
    row: [
      trial.proxy === "haproxy" ? "HAProxy" : "nginx",
      trial.name,
      String(restarts),
      rolled.sent.toLocaleString("en"),
      seen.mean.toFixed(1),
      `${seen.low.toFixed(1)} to ${seen.high.toFixed(1)}`,
      prediction.toFixed(1),
      isWithin ? "yes" : "**no**"
    ]
  }
}

const results: Array<Awaited<ReturnType<typeof run>>> = []
for (const trial of trials) {
  if (values.only !== undefined && !`${trial.proxy}, ${trial.name}`.includes(values.only)) continue
  results.push(await run(trial))
}
table(
  `Node ${process.version}, HAProxy ${version("haproxy")}, nginx ${version("nginx")}, ${cpus().length} cores`,
  ["proxy", "instances", "restarts", "requests", "lost at a restart", "its interval", "predicted", "within it"],
  results.map(({ row }) => row)
)
if (results.some(({ isWithin }) => !isWithin)) process.exitCode = 1
