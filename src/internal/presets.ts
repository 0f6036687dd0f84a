/**
 * The arithmetic of the presets: what a supervisor allows, taken apart into the fields of a policy, in milliseconds.
 */

/** What is left to the release of everything else, and to the process to end. */
export const marginMillis = 1000

export const killMillis = 1000

/** How long a load balancer may go on sending: kube-proxy and ingress controllers hear of an endpoint in a few seconds. */
export const lameDuckMillis = 5000

/** Node's default `keepAliveTimeout`, and its allowance for the way. */
export const keepAliveMillis = 5000
export const wayMillis = 1000

export interface Allowed {
  /** As its caller calls it, for the error. */
  readonly field: string
  readonly millis: number
  readonly lameDuck: number
  /** What draining must last at the least. */
  readonly draining: number
}

/** What draining may take, or how much the supervisor would have to allow. */
export const draining = ({ draining, lameDuck, millis }: Allowed): { readonly timeout: number } | {
  readonly least: number
} => {
  const timeout = millis - lameDuck - killMillis - marginMillis
  return timeout >= draining ? { timeout } : { least: millis - timeout + draining }
}
