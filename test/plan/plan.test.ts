import * as Effect from "effect/Effect"
import { runInNewContext } from "node:vm"
import { describe, expect, it } from "vitest"
import { Shutdown } from "../../src/index.js"
import { type Plan, plan } from "../../src/internal/plan/plan.js"
import { resolve } from "../../src/internal/policy/policy.js"
import type { Policy } from "../../src/Shutdown.js"
import { providerOf, withProvider } from "../support/effect/configProviders.js"

const rowOf = ({ rows }: Plan, which: (row: Plan["rows"][number]) => boolean) => {
  const row = rows.find(which)
  if (row === undefined) throw new Error("there is no such row")
  return row
}

const recommendedOf = (plan: Plan) => rowOf(plan, ({ isRecommended }) => isRecommended)

/** What a plan says of a policy. */
const shown = (policy: Policy) => {
  const { idleGrace, killTimeout, lameDuck, timeout } = Effect.runSync(resolve(policy))
  return { idleGrace, killTimeout, lameDuck, timeout }
}

const fitting = [
  ["kubernetes", "kubernetes", 30],
  ["kubernetes", "alb", 30],
  ["kubernetes", "nlb", 30],
  ["kubernetes", "google", 60],
  ["kubernetes", "haproxy", 30],
  ["kubernetes", "nginx", 30],
  ["ecs", "alb", 30],
  ["docker", "nginx", 10],
  ["docker", "haproxy", 20],
  ["systemd", "haproxy", 90],
  ["systemd", "alb", 90],
  ["pm2", "nginx", 10]
] as const

describe("a plan", () => {
  it.each(fitting)("for %s behind %s, in %i s: nothing is lost, and code and settings are one policy", async (
    supervisor,
    balancer,
    grace
  ) => {
    const made = plan({ supervisor, balancer, grace: grace * 1000 })
    expect(made.recommended.fits).toBe(true)
    const row = recommendedOf(made)
    expect(row.restarts).toBeGreaterThanOrEqual(400)
    expect({ lost: row.lost.mean, killed: row.killed }).toEqual({ lost: 0, killed: 0 })

    const { idleGrace, killTimeout, lameDuck, timeout } = made.policy
    const written: Policy = runInNewContext(`({ ${made.recommended.code.join(", ")} })`, { Shutdown })
    expect(shown(written)).toEqual({ idleGrace, killTimeout, lameDuck, timeout })
    const set = await Effect.runPromise(
      Effect.gen(function*() {
        return yield* Shutdown.config()
      }).pipe(withProvider(providerOf(made.environment)))
    )
    expect(shown(set)).toEqual({ idleGrace, killTimeout, lameDuck, timeout })
  })

  it("for a time that is too short loses with what fits, and nothing with what it says to raise", () => {
    const made = plan({ supervisor: "kubernetes", balancer: "alb", grace: 15_000, longestRequest: 10_000 })
    expect(made.recommended).toMatchObject({ fits: false, needed: 32_000, grace: 32_000 })
    expect(recommendedOf(made).lost.mean).toBe(0)
    expect(rowOf(made, ({ name }) => name === "the best that fits").lost.low).toBeGreaterThan(10)
  })

  it("grows with the fleet, of which a part is simulated where it is large", () => {
    const small = plan({ supervisor: "kubernetes", balancer: "alb", instances: 100 })
    const large = plan({ supervisor: "kubernetes", balancer: "alb", instances: 10_000 })
    const [one, hundred] = [small, large].map(({ rows: [first] }) => first?.lost.mean ?? 0)
    expect((hundred ?? 0) / (one ?? 0)).toBeGreaterThan(97)
    expect((hundred ?? 0) / (one ?? 0)).toBeLessThan(103)
    expect(recommendedOf(large).duration / recommendedOf(small).duration).toBeLessThan(1.2)
  })

  it("has the keep-alive timeout of the server longer than that of the balancer", () => {
    expect(plan({ supervisor: "kubernetes", balancer: "alb" }).recommended.keepAlive).toBe(65_000)
    expect(plan({ supervisor: "kubernetes", balancer: "alb", keepAlive: 80_000 }).recommended.keepAlive).toBe(80_000)
    expect(plan({ supervisor: "docker", balancer: "nginx" }).recommended.settings).toContainEqual(
      expect.stringContaining("keepalive_timeout 4s")
    )
  })
})
