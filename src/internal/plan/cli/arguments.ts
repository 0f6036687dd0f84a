/**
 * The arguments of `quiesce plan`.
 */
import { parseArgs } from "node:util"
import { InvalidPlan } from "../errors.js"
import { balancerNames, type Options, supervisorNames } from "../options.js"

export interface Arguments {
  readonly options: Options
  readonly json: boolean
}

const value = { type: "string" } as const

const known = {
  supervisor: value,
  balancer: value,
  grace: value,
  "keep-alive": value,
  instances: value,
  "requests-per-second": value,
  "longest-request": value,
  lag: value,
  "start-time": value,
  seed: value,
  json: { type: "boolean" },
  help: { type: "boolean", short: "h" }
} as const

export const usage = `quiesce plan --supervisor NAME [options]

Says which policy to choose, what a rolling deploy would lose without it, and how long it takes.
It simulates that deploy, and starts and asks nothing.

Who stops the instances:
  --supervisor NAME        ${supervisorNames.join(", ")}
  --grace 30s              from SIGTERM to SIGKILL (default: that of the supervisor)
  --start-time 5s          until a new process is ready
Who sends to them:
  --balancer NAME          ${balancerNames.join(", ")} (default: what is usual)
  --lag 20s                for how long it still sends to an instance that it was told to leave
  --keep-alive 5s          the keepAliveTimeout of the Node server
What they do:
  --instances 10           up to 10000
  --requests-per-second N  of all instances together (default: 20 for each)
  --longest-request 5s
What is printed:
  --json                   for programs
  --seed 1                 the same seed draws the same numbers
  --help, -h

Exit code: 0 there is a policy that fits, 1 there is none with this grace period, or it loses requests, 2 an option is wrong.
`

/** `undefined`: help was asked for. */
export const parse = (args: ReadonlyArray<string>): Arguments | undefined => {
  const values = parsed(args)
  if (values.help === true) return undefined
  const options: Options = {
    supervisor: oneOf("supervisor", values.supervisor, supervisorNames),
    balancer: values.balancer === undefined ? undefined : oneOf("balancer", values.balancer, balancerNames),
    grace: millisOf("grace", values.grace, 100, 24 * hour),
    keepAlive: millisOf("keep-alive", values["keep-alive"], 0, 24 * hour),
    instances: numberOf("instances", values.instances, 1, 10_000),
    requestsPerSecond: numberOf("requests-per-second", values["requests-per-second"], 1, 100_000_000),
    longestRequest: millisOf("longest-request", values["longest-request"], 1, 24 * hour),
    lag: millisOf("lag", values.lag, 0, hour),
    startTime: millisOf("start-time", values["start-time"], 1, hour),
    seed: numberOf("seed", values.seed, 0, 2 ** 32 - 1)
  }
  return { options, json: values.json === true }
}

const parsed = (args: ReadonlyArray<string>) => {
  try {
    return parseArgs({ args: [...args], options: known }).values
  } catch (cause) {
    // Node's own message names the option
    throw new UnknownArgument(cause instanceof Error ? cause.message : String(cause))
  }
}

/** An argument that there is not. */
export class UnknownArgument extends Error {
  readonly _tag = "UnknownArgument"
  override readonly name = "UnknownArgument"
}

const oneOf = <Name extends string>(option: string, text: string | undefined, names: ReadonlyArray<Name>): Name => {
  const name = names.find((name) => name === text)
  if (name === undefined) throw new InvalidPlan(option, text, `one of ${names.join(", ")}`)
  return name
}

const numberOf = (option: string, text: string | undefined, least: number, most: number): number | undefined => {
  if (text === undefined) return undefined
  const number = /^\d+$/.test(text) ? Number(text) : Number.NaN
  if (number >= least && number <= most) return number
  throw new InvalidPlan(option, text, `a whole number from ${least} to ${most}`)
}

const hour = 3_600_000
const units: ReadonlyArray<readonly [name: string, millis: number]> = [["ms", 1], ["s", 1000], ["m", 60_000], [
  "h",
  hour
]]

const millisOf = (option: string, text: string | undefined, least: number, most: number): number | undefined => {
  if (text === undefined) return undefined
  const [, number, name] = /^(\d+(?:\.\d+)?)([a-z]+)$/.exec(text) ?? []
  const [, unit = Number.NaN] = units.find(([unit]) => unit === name) ?? []
  const millis = Math.round(Number(number) * unit)
  if (millis >= least && millis <= most) return millis
  throw new InvalidPlan(
    option,
    text,
    `a time with its unit, such as 500ms, 10s or 2m, from ${least}ms to ${most / hour}h`
  )
}
