import { describe, expect, it } from "vitest"
import type { Plan } from "../../src/internal/plan/plan.js"
import { withChild } from "../support/child.js"

const program = new URL("../../src/bin/quiesce.ts", import.meta.url)

interface Ended {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

const quiesce = (...args: ReadonlyArray<string>): Promise<Ended> =>
  withChild(program, args, async (child) => {
    const { code } = await child.exit(50_000)
    return { code, stdout: child.stdout(), stderr: child.stderr() }
  })

const planned = async (...args: ReadonlyArray<string>): Promise<Plan> =>
  JSON.parse((await quiesce("plan", "--json", ...args)).stdout) as Plan

/** Long enough for a machine with much else to do. */
const limit = { timeout: 60_000 }

describe("quiesce plan", limit, () => {
  it("says what to choose for pods behind an ALB, what else to set, and what would be lost without it", async () => {
    const args = ["plan", "--supervisor", "kubernetes", "--grace", "30s", "--balancer", "alb", "--keep-alive", "65s"]
    const { code, stderr, stdout } = await quiesce(...args)
    expect(stderr).toBe("")
    expect(stdout).toContain("It takes 28 s of 30 s (20s of lame duck, 6s of draining, 2s for the end):")
    expect(stdout).toContain(`createServer({ keepAliveTimeout: 65000 })`)
    expect(stdout).toContain(
      `...Shutdown.kubernetes({ terminationGracePeriod: "30 seconds", lameDuck: "20 seconds" }),\n    idleGrace: "500 millis"\n`
    )
    expect(stdout).toContain(`SHUTDOWN_LAME_DUCK="20 seconds"\n`)
    expect(stdout).toMatch(/^ {2}terminationGracePeriodSeconds: 30, and no preStop hook$/m)
    expect(stdout).toMatch(/^ {2}deregistration_delay.timeout_seconds of the target group: 10$/m)
    expect(stdout).toMatch(/^ {2}Node's default: the process ends at SIGTERM +[\d,]{4,} \(.* to .*\) .*refused/m)
    expect(stdout).toMatch(/^ {2}the recommended policy +0 \(at most 0\.09\) +40\.\d s/m)
    expect(stdout).toMatch(/https:\/\/docs\.aws\.amazon\.com\/elasticloadbalancing\//)
    expect(code).toBe(0)
  })

  it("is the same for the same seed", async () => {
    const [one, same, other] = await Promise.all(
      ["1", "1", "2"].map((seed) => planned("--supervisor", "docker", "--balancer", "nginx", "--seed", seed))
    )
    expect(same).toEqual(one)
    expect(other?.rows).not.toEqual(one?.rows)
    expect(other?.environment).toEqual(one?.environment)
  })

  it("says what to raise where no policy is without loss", async () => {
    const { code, stdout } = await quiesce("plan", "--supervisor", "kubernetes", "--balancer", "google")
    expect(stdout).toContain(
      "No policy is without loss within 30 s: it takes 48 s (40s of lame duck, 6s of draining, 2s for the end).\n"
        + "Raise the time of the supervisor:\n"
    )
    expect(stdout).toMatch(/^ {2}terminationGracePeriodSeconds: 48,/m)
    expect(stdout).toMatch(/^ {2}the best that fits +[1-9]\d* \(/m)
    expect(code).toBe(1)
  })

  it("says that nobody listens where an instance is restarted in its place, and clients go nowhere else", async () => {
    const { code, stdout } = await quiesce("plan", "--supervisor", "systemd")
    expect(stdout).toContain("Hand over (Handoff), or let systemd hold the socket (Systemd.socket).")
    expect(code).toBe(1)
  })

  it("names an option that is wrong, its value, and what would be right", async () => {
    const wrong: ReadonlyArray<readonly [args: string, message: string]> = [
      ["", "--supervisor: one of kubernetes, docker, systemd, pm2, ecs"],
      ["--supervisor nomad", "--supervisor nomad: one of kubernetes, docker, systemd, pm2, ecs"],
      [
        "--supervisor ecs --balancer haproxy",
        "--balancer haproxy: with --supervisor ecs, one of alb, nlb"
      ],
      [
        "--supervisor docker --grace 30",
        "--grace 30: a time with its unit, such as 500ms, 10s or 2m, from 100ms to 24h"
      ],
      ["--supervisor docker --instances 10001", "--instances 10001: a whole number from 1 to 10000"],
      [
        "--supervisor docker --balancer haproxy --lag 5s",
        "--lag 5000ms: Docker tells no balancer that an instance leaves: leave it out"
      ],
      ["--supervisor docker --colour", "Unknown option '--colour'"]
    ]
    const ended = await Promise.all(
      wrong.map(([args]) => quiesce("plan", ...args.split(" ").filter((arg) => arg !== "")))
    )
    expect(ended.map(({ stderr }) => stderr.split("\n")[0])).toEqual(
      wrong.map(([, message]) => expect.stringContaining(`quiesce plan: ${message}`) as string)
    )
    expect(ended.map(({ code }) => code)).toEqual(wrong.map(() => 2))
    expect(ended.map(({ stdout }) => stdout)).toEqual(wrong.map(() => ""))
  })

  it("has help, and the command without a name names both", async () => {
    const [help, plain] = await Promise.all([quiesce("plan", "--help"), quiesce()])
    expect(help.stdout).toContain("--longest-request 5s")
    expect(help.code).toBe(0)
    expect(plain.stdout).toContain("quiesce check --help")
    expect(plain.stdout).toContain("quiesce plan --help")
  })
})
