/**
 * What a simulation is told, and what it says. All times are milliseconds.
 */
import type { ResolvedPolicy } from "../policy/policy.js"
import type { Random } from "./random.js"

/**
 * How a balancer comes to know that an instance leaves, and that it is back.
 *
 * - `Told`: by whoever stops it, at the same time as the instance. It takes so long, and may begin before the signal.
 * - `Checks`: by its own health checks, of which `fall` fail in a row, and then `rise` pass.
 * - `Refused`: by requests that fail. It leaves the instance alone for so long, in whole seconds, and tries it again.
 * - `Never`: clients have the address of the instance.
 */
export type Learns =
  | { readonly _tag: "Told"; readonly least: number; readonly most: number; readonly before: number }
  | { readonly _tag: "Checks"; readonly interval: number; readonly fall: number; readonly rise: number }
  | { readonly _tag: "Refused"; readonly failTimeout: number }
  | { readonly _tag: "Never" }

export interface Balancer {
  readonly learns: Learns
  /** Of how many parts it is that learn for themselves: nodes, workers. */
  readonly views: number
  /** Whose connections an instance sees: its own, which it keeps for any request, or those of the clients. */
  readonly connections: "balancer" | "clients"
  /** How long it keeps a connection on which nothing is sent. */
  readonly idleTimeout: number
  /** To how many other instances it goes where a connection is refused. */
  readonly retries: number
  /** Whether it sends a GET again, elsewhere, that was sent and not answered. Nobody sends a POST again. */
  readonly resendsGet: boolean
  /** There and back, between it and an instance. */
  readonly roundTrip: number
}

/**
 * What a process does at its signal.
 *
 * - `Exit`: what Node does where nobody listens for it. The kernel takes some time to end a process: what has come
 *   meanwhile is lost with the rest.
 * - `Ignore`: what PID 1 of a container does where nobody listens for it.
 * - `Close`: `server.close()`.
 * - `Drain`: this library, with a policy.
 */
export type Stop =
  | { readonly _tag: "Exit"; readonly takes: number }
  | { readonly _tag: "Ignore" }
  | { readonly _tag: "Close" }
  | { readonly _tag: "Drain"; readonly policy: ResolvedPolicy }

/** Requests that take about as long as each other. */
export interface RequestClass {
  /** Of all requests. */
  readonly share: number
  readonly longest: number
  readonly sample: (random: Random) => number
}

export interface Load {
  /** Of the whole fleet. */
  readonly perSecond: number
  readonly classes: ReadonlyArray<RequestClass>
  /** The share of requests that a balancer may send again. */
  readonly getShare: number
  /** The share of requests that come on a connection of their own, where connections are those of the clients. */
  readonly freshShare: number
}

/**
 * - `Replace`: so many new instances are started at once, and when they are ready, as many old ones are stopped.
 * - `InPlace`: so many are stopped at once, and started again where they were; then the next.
 */
export type Rollout =
  | { readonly _tag: "Replace"; readonly atOnce: number }
  | { readonly _tag: "InPlace"; readonly atOnce: number; readonly pause: number }

export interface Fleet {
  readonly instances: number
  readonly stop: Stop
  /** The `keepAliveTimeout` of the server. */
  readonly keepAliveTimeout: number
  /** From the signal to SIGKILL. */
  readonly grace: number
  /** Until a new process listens, and is ready. */
  readonly startTime: number
  readonly balancer: Balancer
  readonly load: Load
  readonly rollout: Rollout
}

/** Why requests were lost. */
export interface Lost {
  /** Nobody accepted their connection, and no other instance was tried that did. */
  readonly refused: number
  /** They were sent on a connection that the server was closing. */
  readonly crossed: number
  /** They were in flight when the process ended, or at its deadline. */
  readonly cut: number
}

export interface Outcome {
  /** Requests that were sent to an instance around its restart: `answered`, and those that were lost. */
  readonly sent: number
  readonly answered: number
  readonly lost: Lost
  /** Of each restart, in the order of their signals. */
  readonly lostByRestart: ReadonlyArray<number>
  /** From the beginning of the deploy until the last old process has ended, and the last new one is ready. */
  readonly duration: number
  /** From the signal to the end of a process: the longest. */
  readonly slowestStop: number
  /** Processes that were still there at the end of their grace. */
  readonly killed: number
}

export const lostOf = ({ crossed, cut, refused }: Lost): number => refused + crossed + cut
