/**
 * What policy to choose, what would be lost without it, and how long a deploy takes.
 */
import * as Effect from "effect/Effect"
import type { Policy } from "../model/policy.js"
import { resolve, type ResolvedPolicy } from "../policy/policy.js"
import { balancerOf } from "./balancers.js"
import { InvalidPlan } from "./errors.js"
import { type Fleet, type Load, lostOf, type Outcome, type RequestClass, type Stop } from "./model.js"
import type { BalancerName, Options, SupervisorName } from "./options.js"
import { environmentOf, type Needs, nodeKeepAlive, recommend, type Recommended, squeezed } from "./recommend.js"
import { simulate } from "./simulate.js"
import { type Interval, meanInterval } from "./statistics.js"
import { type Fact, supervisors } from "./supervisors.js"

/** A way to stop, and what a deploy loses with it. */
export interface Row {
  readonly name: string
  readonly isRecommended: boolean
  readonly grace: number
  /** Requests that a deploy is expected to lose, and the 95 % interval of that mean. */
  readonly lost: Interval & { readonly mean: number }
  /** Why, as shares of the mean. */
  readonly refused: number
  readonly crossed: number
  readonly cut: number
  /** Of the deploy. */
  readonly duration: number
  /** Requests of the fleet in that time. */
  readonly requests: number
  /** From the signal to the end of a process: the longest. */
  readonly slowestStop: number
  /** Processes of a deploy that did not end by themselves. */
  readonly killed: number
  /** How many restarts were simulated. */
  readonly restarts: number
}

export interface Plan {
  readonly supervisor: SupervisorName
  readonly balancer: BalancerName
  readonly instances: number
  readonly requestsPerSecond: number
  readonly longestRequest: number
  readonly grace: number
  readonly keepAlive: number
  readonly seed: number
  readonly recommended: Omit<Recommended, "balancer" | "policy">
  readonly policy: ResolvedPolicy
  readonly environment: Readonly<Record<string, string>>
  readonly rows: ReadonlyArray<Row>
  readonly facts: ReadonlyArray<Fact>
}

/** Most requests take about this long. */
const typicalMillis = 50
const typicalLongest = 500

/** The kernel takes about this long to end a process of Node. */
const exitMillis = 20

/** As many restarts, at the least, make a mean. */
const leastRestarts = 400

/** As many requests, at the most, are played for one row. */
const mostRequests = 2_000_000

export const loadOf = (perSecond: number, longestRequest: number): Load => ({
  perSecond,
  getShare: 0.5,
  freshShare: 0.5,
  classes: classesOf(longestRequest)
})

const classesOf = (longest: number): ReadonlyArray<RequestClass> => {
  if (longest <= typicalLongest) return [{ share: 1, longest, sample: (random) => random.between(0, longest) }]
  return [
    {
      share: 0.99,
      longest: typicalLongest,
      sample: (random) => Math.min(typicalLongest, random.gap(1 / typicalMillis))
    },
    { share: 0.01, longest, sample: (random) => random.between(0, longest) }
  ]
}

export const plan = (options: Options): Plan => {
  const supervisor = supervisors[options.supervisor]
  const name = options.balancer ?? supervisor.balancers[0]
  const balancer = balancerOf(name, options.supervisor, options.lag)
  const {
    grace = supervisor.grace,
    instances = 10,
    keepAlive = nodeKeepAlive,
    longestRequest = 5000,
    requestsPerSecond = 20 * instances,
    seed = 1,
    startTime = 5000
  } = options
  const needs: Needs = { supervisor, name, balancer, grace, keepAlive, longestRequest }
  assertTime("grace", grace)
  const recommended = recommend(needs)
  const policy = resolved(recommended.policy)
  const without = {
    instances,
    keepAliveTimeout: keepAlive,
    grace,
    startTime,
    balancer: balancer.balancer,
    load: loadOf(requestsPerSecond, longestRequest),
    rollout: supervisor.rollout(instances)
  }
  const drained: Omit<Fleet, "stop"> = {
    ...without,
    keepAliveTimeout: recommended.keepAlive,
    balancer: recommended.balancer
  }
  const row = (name: string, fleet: Omit<Fleet, "stop">, stop: Stop, isRecommended = false) =>
    rowOf(name, isRecommended, { ...fleet, stop }, seed)
  const { balancer: _balancer, policy: _policy, ...shown } = recommended
  return {
    supervisor: options.supervisor,
    balancer: name,
    instances,
    requestsPerSecond,
    longestRequest,
    grace,
    keepAlive,
    seed,
    recommended: shown,
    policy,
    environment: environmentOf(policy),
    rows: [
      row("Node's default: the process ends at SIGTERM", without, { _tag: "Exit", takes: exitMillis }),
      ...(supervisor.isFirst
        ? [row("Node as PID 1, and nobody listens for SIGTERM", without, { _tag: "Ignore" })]
        : []),
      row("server.close() at SIGTERM", without, { _tag: "Close" }),
      ...(recommended.fits ? [] : [
        row("the best that fits", drained, { _tag: "Drain", policy: resolved(squeezed(needs)) })
      ]),
      row("the recommended policy", { ...drained, grace: recommended.grace }, { _tag: "Drain", policy }, true)
    ],
    facts: [
      ...supervisor.facts,
      ...balancer.facts,
      {
        says:
          "requests come independently of each other; 99 of 100 take 50 ms, as exponentially distributed times, and one "
          + "takes any time up to the longest; half of them are GETs"
      }
    ]
  }
}

const assertTime = (option: string, millis: number): void => {
  if (millis >= 100 && Number.isFinite(millis)) return
  throw new InvalidPlan(option, `${millis}ms`, "100ms or more")
}

const resolved = (policy: Policy): ResolvedPolicy => Effect.runSync(resolve(policy))

/** Of a large fleet, a part in the same proportions is played; of a small one, several deploys. */
const rowOf = (name: string, isRecommended: boolean, fleet: Fleet, seed: number): Row => {
  const part = partOf(fleet)
  const deploys = Math.ceil(
    Math.min(leastRestarts / part.instances, Math.max(1, 2 * mostRequests / requestsPlayed(part)))
  )
  const outcomes = Array.from({ length: deploys }, (_, nth) => simulate(part, seed + nth))
  const scale = fleet.instances / part.instances
  const restarts = outcomes.flatMap(({ lostByRestart }) => lostByRestart)
  const { high, low, mean } = meanInterval(restarts)
  const lost = sum(outcomes, ({ lost }) => lostOf(lost))
  const share = (of: "refused" | "crossed" | "cut") => lost === 0 ? 0 : sum(outcomes, (one) => one.lost[of]) / lost
  const longest = Math.max(...outcomes.map(({ duration }) => duration))
  const duration = fleet.rollout._tag === "InPlace" ? longest * scale : longest
  return {
    name,
    isRecommended,
    grace: fleet.grace,
    lost: { mean: mean * fleet.instances, low: low * fleet.instances, high: high * fleet.instances },
    refused: share("refused"),
    crossed: share("crossed"),
    cut: share("cut"),
    duration,
    requests: Math.round(fleet.load.perSecond * duration / 1000),
    slowestStop: Math.max(...outcomes.map(({ slowestStop }) => slowestStop)),
    killed: Math.round(sum(outcomes, ({ killed }) => killed) / deploys * scale),
    restarts: restarts.length
  }
}

const sum = (outcomes: ReadonlyArray<Outcome>, of: (outcome: Outcome) => number): number =>
  outcomes.reduce((sum, outcome) => sum + of(outcome), 0)

/** About how many requests a simulation has to play. */
const requestsPlayed = ({ balancer: { learns }, grace, load, stop }: Fleet): number => {
  const sendsFor = learns._tag === "Told"
    ? learns.most
    : learns._tag === "Checks"
    ? learns.interval * learns.fall
    : 5000
  const around = 4000
  const millis = stop._tag === "Drain" ? around : stop._tag === "Ignore" ? around + grace / 2 : around + sendsFor
  return load.perSecond * millis / 1000
}

const partOf = (fleet: Fleet): Fleet => {
  const { instances, load, rollout } = fleet
  const share = mostRequests / requestsPlayed(fleet)
  if (share >= 1) return fleet
  const part = Math.min(instances, Math.max(20, Math.floor(instances * share)))
  return {
    ...fleet,
    instances: part,
    load: { ...load, perSecond: load.perSecond * part / instances },
    rollout: { ...rollout, atOnce: Math.max(1, Math.round(rollout.atOnce * part / instances)) }
  }
}
