/**
 * What a plan is made for. All times are milliseconds.
 */

export const supervisorNames = ["kubernetes", "docker", "systemd", "pm2", "ecs"] as const
export type SupervisorName = typeof supervisorNames[number]

export const balancerNames = ["kubernetes", "alb", "nlb", "google", "haproxy", "nginx", "none"] as const
export type BalancerName = typeof balancerNames[number]

export interface Options {
  readonly supervisor: SupervisorName
  /** Default: what is usual for the supervisor. */
  readonly balancer?: BalancerName | undefined
  /** From SIGTERM to SIGKILL. Default: that of the supervisor. */
  readonly grace?: number | undefined
  /** The `keepAliveTimeout` of the Node server. Default: Node's. */
  readonly keepAlive?: number | undefined
  readonly instances?: number | undefined
  /** Of all instances together. Default: 20 for each. */
  readonly requestsPerSecond?: number | undefined
  readonly longestRequest?: number | undefined
  /** For how long the balancer still sends to an instance that it was told to leave. */
  readonly lag?: number | undefined
  /** Until a new process is ready. */
  readonly startTime?: number | undefined
  readonly seed?: number | undefined
}
