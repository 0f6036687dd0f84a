import * as FastCheck from "fast-check"
import { describe, expect, it } from "vitest"
import { lostOf, type Stop } from "../../src/internal/plan/model.js"
import { simulate } from "../../src/internal/plan/simulate.js"
import { docker, kubernetes, systemd } from "../../src/promise.js"
import type { Policy } from "../../src/Shutdown.js"
import { balancers, drain, fleetOf, haproxy, nginx, service, slow } from "./fleets.js"

const names = Object.keys(balancers) as ReadonlyArray<keyof typeof balancers>

const stops: ReadonlyArray<Stop> = [
  { _tag: "Exit", takes: 0 },
  { _tag: "Ignore" },
  { _tag: "Close" },
  drain({}),
  drain({ lameDuck: "3 seconds", timeout: "1 second" }),
  drain({ timeout: "40 seconds", idleGrace: "keepAliveTimeout" })
]

const lost = (policy: Policy, balancer = slow, more: Parameters<typeof fleetOf>[2] = {}) =>
  lostOf(simulate(fleetOf(balancer, drain(policy), more), 1).lost)

describe("a simulated deploy", () => {
  it("is the same one for the same seed, and another one for another seed", () => {
    for (const name of names) {
      const fleet = fleetOf(balancers[name], { _tag: "Exit", takes: 0 })
      expect(simulate(fleet, 7)).toEqual(simulate(fleet, 7))
      expect(simulate(fleet, 7)).not.toEqual(simulate(fleet, 8))
    }
  })

  it("answers or loses each request exactly once, and restarts each instance once", () => {
    const fleets = FastCheck.record({
      balancer: FastCheck.constantFrom(...names),
      stop: FastCheck.constantFrom(...stops),
      instances: FastCheck.integer({ min: 1, max: 12 }),
      perSecond: FastCheck.integer({ min: 1, max: 500 }),
      keepAliveTimeout: FastCheck.integer({ min: 0, max: 70_000 }),
      grace: FastCheck.integer({ min: 100, max: 60_000 }),
      seed: FastCheck.nat()
    })
    FastCheck.assert(
      FastCheck.property(fleets, ({ balancer, grace, instances, keepAliveTimeout, perSecond, seed, stop }) => {
        const fleet = fleetOf(balancers[balancer], stop, { instances, keepAliveTimeout, grace })
        const outcome = simulate({ ...fleet, load: { ...fleet.load, perSecond } }, seed)
        const all = lostOf(outcome.lost)
        expect(outcome.answered + all).toBe(outcome.sent)
        expect(outcome.lostByRestart).toHaveLength(instances)
        expect(outcome.lostByRestart.reduce((sum, count) => sum + count, 0)).toBe(all)
        expect(outcome.slowestStop).toBeLessThanOrEqual(grace)
        expect(outcome.killed).toBeLessThanOrEqual(instances)
      }),
      { numRuns: 200, seed: 1 }
    )
  })

  it("loses what is in flight, where a process ends at its signal and others are tried: rate × duration", () => {
    const fleet = fleetOf(haproxy, { _tag: "Exit", takes: 0 }, { instances: 2000 })
    const { cut, refused } = simulate(fleet, 1).lost
    // 20 a second, of which 99 % take 50 ms and 1 % take 2.5 s
    const expected = 2000 * 20 * (0.99 * 0.05 + 0.01 * 2.5)
    expect(refused).toBe(0)
    expect(Math.abs(cut - expected)).toBeLessThan(4 * Math.sqrt(expected))
  })

  it("loses what comes while the kernel ends a process, as well", () => {
    const cut = (takes: number) => simulate(fleetOf(haproxy, { _tag: "Exit", takes }, { instances: 2000 }), 1).lost.cut
    const expected = 2000 * 20 * 0.1
    expect(Math.abs(cut(100) - cut(0) - expected)).toBeLessThan(4 * Math.sqrt(2 * expected))
  })

  it("loses what comes until checks have failed, where no other instance is tried: rate × 1.5 intervals", () => {
    const fleet = fleetOf({ ...haproxy, retries: 0 }, { _tag: "Exit", takes: 0 }, { instances: 2000 })
    const { refused } = simulate(fleet, 1).lost
    const expected = 2000 * 20 * 1.5
    // the time to the first check that fails is from 0 to 1 s, for each instance another one
    const deviation = Math.sqrt(expected + 2000 * 20 ** 2 / 12)
    expect(Math.abs(refused - expected)).toBeLessThan(4 * deviation)
  })

  it("never loses more with a longer lame duck, and nothing with one that is as long as the balancer takes", () => {
    const seconds = [0, 2, 5, 10, 15, 20]
    const all = seconds.map((lameDuck) => lost({ lameDuck: lameDuck * 1000, timeout: "8 seconds" }))
    expect(all.toSorted((one, other) => other - one)).toEqual(all)
    expect(all[0]).toBeGreaterThan(1000)
    expect(all.at(-1)).toBe(0)
  })

  it("never cuts more with a longer timeout, and nothing with one that is as long as a request", () => {
    const all = [0, 1, 2, 3, 4, 5].map((seconds) => {
      const policy = { lameDuck: "2 seconds", timeout: seconds * 1000 } as const
      return simulate(fleetOf(service, drain(policy), { instances: 400 }), 1).lost.cut
    })
    expect(all.toSorted((one, other) => other - one)).toEqual(all)
    expect(all[0]).toBeGreaterThan(0)
    expect(all.at(-1)).toBe(0)
  })

  it("loses what a supervisor kills that does not wait", () => {
    const policy = { lameDuck: "20 seconds", timeout: "8 seconds" } as const
    const outcome = simulate(fleetOf(slow, drain(policy), { grace: 19_000 }), 1)
    expect(outcome.killed).toBe(40)
    expect(lostOf(outcome.lost)).toBeGreaterThan(0)
    expect(lost(policy)).toBe(0)
  })

  it("loses requests that cross the close of an idle connection, unless what was promised is waited for", () => {
    const far = { ...nginx, roundTrip: 200, resendsGet: false }
    const crossed = (policy: Policy) => simulate(fleetOf(far, drain(policy), { instances: 400 }), 1).lost.crossed
    expect(crossed({ idleGrace: 0 })).toBeGreaterThan(100)
    expect(crossed({ idleGrace: "keepAliveTimeout" })).toBe(0)
  })

  it("plays 10,000 instances", () => {
    const { lostByRestart } = simulate(
      fleetOf(slow, drain(kubernetes({ lameDuck: "20 seconds" })), { instances: 10_000 }),
      1
    )
    expect(lostByRestart).toHaveLength(10_000)
    expect(lostByRestart.every((count) => count === 0)).toBe(true)
  })
})

describe("the presets", () => {
  it.each(
    [
      ["kubernetes, behind a Service", kubernetes(), service, 30_000],
      ["docker, behind nginx", docker(), nginx, 10_000],
      ["docker with a lame duck, behind HAProxy", docker({ lameDuck: "3 seconds" }), haproxy, 10_000],
      ["systemd, behind nginx", systemd(), nginx, 90_000],
      ["systemd with a lame duck, behind HAProxy", systemd({ lameDuck: "3 seconds" }), haproxy, 90_000]
    ] as const
  )("%s: nothing is lost in the time that is the default, and nobody is killed", (_, policy, balancer, grace) => {
    // of nginx, connections are closed after half a second: a request would have to cross that within a tenth of a millisecond
    const near = { ...balancer, roundTrip: 0.1 }
    const outcome = simulate(fleetOf(near, drain(policy), { grace, instances: 400 }), 1)
    expect(outcome.sent).toBeGreaterThan(1000)
    expect(outcome.lost).toEqual({ refused: 0, crossed: 0, cut: 0 })
    expect(outcome.killed).toBe(0)
  })

  it("for pods is not enough for a balancer that takes longer than its lame duck", () => {
    expect(lost(kubernetes(), slow)).toBeGreaterThan(0)
  })
})
