/**
 * Fleets for the tests of the simulation.
 */
import * as Effect from "effect/Effect"
import type { Balancer, Fleet, Stop } from "../../src/internal/plan/model.js"
import { loadOf } from "../../src/internal/plan/plan.js"
import { resolve } from "../../src/internal/policy/policy.js"
import type { Policy } from "../../src/Shutdown.js"

const layer7 = { connections: "balancer", resendsGet: false, roundTrip: 1 } as const

/** It sends for up to 20 s to who was told to stop, and no request a second time. */
export const slow: Balancer = {
  ...layer7,
  learns: { _tag: "Told", least: 5000, most: 20_000, before: 0 },
  views: 4,
  idleTimeout: 60_000,
  retries: 0
}

/** Clients keep connections, and nodes learn within 2 s. */
export const service: Balancer = {
  ...slow,
  connections: "clients",
  learns: { _tag: "Told", least: 100, most: 2000, before: 0 },
  views: 10,
  idleTimeout: 350_000
}

/** examples/deploy/haproxy.cfg */
export const haproxy: Balancer = {
  ...layer7,
  learns: { _tag: "Checks", interval: 1000, fall: 2, rise: 1 },
  views: 1,
  idleTimeout: 5000,
  retries: 3
}

/** examples/deploy/nginx.conf */
export const nginx: Balancer = {
  ...layer7,
  learns: { _tag: "Refused", failTimeout: 1000 },
  views: 2,
  idleTimeout: 4000,
  retries: 1,
  resendsGet: true
}

export const balancers = { slow, service, haproxy, nginx } as const

export const drain = (policy: Policy): Stop => ({ _tag: "Drain", policy: Effect.runSync(resolve(policy)) })

export const fleetOf = (balancer: Balancer, stop: Stop, more: Partial<Fleet> = {}): Fleet => {
  const { instances = 40 } = more
  return {
    instances,
    stop,
    keepAliveTimeout: 5000,
    grace: 30_000,
    startTime: 5000,
    balancer,
    load: loadOf(20 * instances, 5000),
    rollout: balancer.learns._tag === "Told"
      ? { _tag: "Replace", atOnce: Math.ceil(instances / 4) }
      : { _tag: "InPlace", atOnce: 1, pause: 0 },
    ...more
  }
}
