/**
 * The policy for a supervisor and a balancer, by arithmetic, and what else is to be set; whether it loses nothing is then
 * simulated. The presets do their part of it.
 */
import * as Duration from "effect/Duration"
import type { Policy } from "../model/policy.js"
import { formatted } from "../model/text.js"
import { promiseMillis, type ResolvedPolicy } from "../policy/policy.js"
import { docker, kubernetes, systemd } from "../policy/presets.js"
import type { KnownBalancer } from "./balancers.js"
import type { Balancer } from "./model.js"
import type { BalancerName } from "./options.js"
import type { Supervisor } from "./supervisors.js"

export interface Needs {
  readonly supervisor: Supervisor
  readonly name: BalancerName
  readonly balancer: KnownBalancer
  readonly grace: number
  readonly keepAlive: number
  readonly longestRequest: number
}

export interface Recommended {
  readonly policy: Policy
  /** The fields of the policy, as code. */
  readonly code: ReadonlyArray<string>
  /** The `keepAliveTimeout` of the Node server. */
  readonly keepAlive: number
  /** The balancer, where something of it is to be set. */
  readonly balancer: Balancer
  /** The time that the supervisor has to give. */
  readonly grace: number
  /** Whether it is what the supervisor gives. */
  readonly fits: boolean
  /** The least time, and what it is made of. */
  readonly needed: number
  readonly sum: string
  /** What is to be set beside the policy. */
  readonly settings: ReadonlyArray<string>
}

/** `killTimeout`, and the release of everything else, as the presets have them. */
const restMillis = 2000

/** The preset for pods has these at the least, whoever balances the load. */
const podLameDuck = 5000
const podDraining = 6000

export const nodeKeepAlive = 5000

const upToSeconds = (millis: number): number => Math.ceil(millis / 1000) * 1000

type Text = `${number} second` | `${number} seconds` | `${number} millis`

const text = (millis: number): Text =>
  millis % 1000 !== 0 ? `${millis} millis` : millis === 1000 ? "1 second" : `${millis / 1000} seconds`

const print = (millis: number): string => millis === 0 ? "0s" : formatted(Duration.millis(millis))

interface Configured {
  readonly keepAlive: number
  readonly balancer: Balancer
  readonly settings: ReadonlyArray<string>
}

/** One that keeps connections must be the one that closes them. */
const withKeepAlive = ({ balancer: { balancer }, keepAlive, name }: Needs): Configured => {
  if (balancer.connections === "clients" || keepAlive >= balancer.idleTimeout) {
    return { keepAlive, balancer, settings: [] }
  }
  if (name === "nginx" && keepAlive > 1000) {
    const idleTimeout = keepAlive - 1000
    return {
      keepAlive,
      balancer: { ...balancer, idleTimeout },
      settings: [
        `keepalive_timeout ${print(idleTimeout)} in the upstream of nginx: shorter than the server's keepAliveTimeout`
      ]
    }
  }
  const longer = upToSeconds(balancer.idleTimeout + 5000)
  return {
    keepAlive: longer,
    balancer,
    settings: [
      `keepAliveTimeout of the Node server: ${longer} ms, longer than the ${
        print(balancer.idleTimeout)
      } that the balancer keeps a connection`
    ]
  }
}

const lameDuckFor = ({ balancer: { sendsFor }, supervisor }: Needs): number =>
  supervisor.preset === "kubernetes" ? Math.max(podLameDuck, upToSeconds(sendsFor)) : upToSeconds(sendsFor)

/** A balancer that is told takes its own time for a target, which the process has to have as well. */
const withDelay = (
  needs: Needs,
  { balancer, ...configured }: Configured,
  grace: number,
  lameDuck: number
): Configured => {
  const { learns } = balancer
  const setting = delaySettings[needs.name]
  if (learns._tag !== "Told" || setting === undefined) return { balancer, ...configured }
  // the signal comes when it is over, and nothing may be in flight then
  const before = learns.before === 0 ? 0 : upToSeconds(learns.most + needs.longestRequest)
  const delay = before === 0 ? grace - lameDuck : before
  return {
    ...configured,
    balancer: { ...balancer, learns: { ...learns, before } },
    settings: [...configured.settings, `${setting}: ${Math.floor(delay / 1000)}`]
  }
}

const delaySettings: Partial<Record<BalancerName, string>> = {
  alb: "deregistration_delay.timeout_seconds of the target group",
  nlb: "deregistration_delay.timeout_seconds of the target group",
  google: "connectionDraining.drainingTimeoutSec of the backend service"
}

export const recommend = (needs: Needs): Recommended => {
  const { balancer: { sendsToTheEnd, settings }, grace: given, longestRequest, supervisor } = needs
  const configured = withKeepAlive(needs)
  const { keepAlive } = configured
  const lameDuck = lameDuckFor(needs)
  const least = supervisor.preset === "kubernetes" ? podDraining : promiseMillis
  const draining = Math.max(longestRequest, least)
  const needed = upToSeconds(lameDuck + draining + restMillis)
  const fits = needed <= given
  const grace = fits ? given : needed
  // whoever may send to the end is waited for as long as the last response has promised, if there is time
  const promise = keepAlive + promiseMillis
  const waits = sendsToTheEnd && promise <= grace - lameDuck - restMillis
  const delayed = withDelay(needs, configured, grace, lameDuck)
  return {
    ...policyOf(supervisor, grace, lameDuck, keepAlive, waits),
    keepAlive,
    balancer: delayed.balancer,
    grace,
    fits,
    needed,
    sum: [
      ...(lameDuck === 0 ? [] : [`${print(lameDuck)} of lame duck`]),
      draining === longestRequest ? `${print(draining)} for the longest request` : `${print(draining)} of draining`,
      `${print(restMillis)} for the end`
    ].join(", "),
    settings: [
      supervisor.setting(grace / 1000),
      ...settings,
      ...delayed.settings,
      ...(sendsToTheEnd && !waits
        ? [
          `nothing lost for certain, and not but for a coincidence, to clients that keep connections: a time of ${
            print(upToSeconds(lameDuck + promise + restMillis))
          }, which waits for the server's keepAliveTimeout`
        ]
        : [])
    ]
  }
}

const policyOf = (
  { preset }: Supervisor,
  grace: number,
  lameDuck: number,
  keepAlive: number,
  waits: boolean
): Pick<Recommended, "policy" | "code"> => {
  const time = text(grace)
  if (preset === "kubernetes") {
    const duck = lameDuck === podLameDuck ? {} : { lameDuck: text(lameDuck) }
    if (waits || keepAlive === nodeKeepAlive) {
      const kept = keepAlive === nodeKeepAlive ? {} : { keepAliveTimeout: text(keepAlive) }
      return called("kubernetes", { terminationGracePeriod: time, ...duck, ...kept }, kubernetes, {})
    }
    return called("kubernetes", { terminationGracePeriod: time, ...duck }, kubernetes, { idleGrace: "500 millis" })
  }
  const duck = lameDuck === 0 ? {} : { lameDuck: text(lameDuck) }
  const more = waits ? { idleGrace: "keepAliveTimeout" } as const : {}
  return preset === "docker"
    ? called("docker", { stopTimeout: time, ...duck }, docker, more)
    : called("systemd", { timeoutStop: time, ...duck }, systemd, more)
}

const called = <Options extends object>(
  name: string,
  options: Options,
  preset: (options: Options) => Policy,
  more: Policy
): Pick<Recommended, "policy" | "code"> => ({
  policy: { ...preset(options), ...more },
  code: [
    `...Shutdown.${name}({ ${fields(options)} })`,
    ...(Object.keys(more).length === 0 ? [] : [fields(more)])
  ]
})

const fields = (values: object): string =>
  Object.entries(values).map(([name, value]) => `${name}: ${JSON.stringify(value)}`).join(", ")

/** What can be had of a grace period that is too short: the lame duck is cut last, since it saves the most. */
export const squeezed = (needs: Needs): Policy => {
  const killTimeout = Math.min(1000, Math.floor(needs.grace / 4))
  const rest = needs.grace - 2 * killTimeout
  const lameDuck = Math.min(lameDuckFor(needs), rest)
  return { lameDuck, timeout: rest - lameDuck, killTimeout }
}

/** The same policy as settings of the environment. */
export const environmentOf = (
  { idleGrace, killTimeout, lameDuck, timeout }: ResolvedPolicy
): Readonly<Record<string, string>> => ({
  SHUTDOWN_LAME_DUCK: text(lameDuck),
  SHUTDOWN_TIMEOUT: text(timeout),
  SHUTDOWN_KILL_TIMEOUT: text(killTimeout),
  SHUTDOWN_IDLE_GRACE: idleGrace === "keepAliveTimeout" ? idleGrace : text(idleGrace)
})
