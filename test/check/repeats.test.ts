import { type ChildProcess, spawn } from "node:child_process"
import { once } from "node:events"
import { check, type Report } from "quiesce/check"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { faulty, offers, sawIn } from "./servers.js"

// A verdict that changes from one run to the next is a defect of the tool, whatever else the machine does.

const times = process.env["RELEASE"] === undefined ? 3 : 20

/** Those that race with the server. */
const races = [
  "idle-20ms",
  "idle-500ms",
  "queue",
  "first-request",
  "next-request",
  "half-head",
  "pipelined",
  "signal-twice"
]

const run = (only: ReadonlyArray<string>, fault?: string): Promise<Report> =>
  check({ ...offers, repeat: times, command: faulty(fault), only })

const countsIn = ({ results }: Report) => results.map(({ counts, name }) => ({ name, ...counts }))

/** Two that never wait, until this process ends them, or is gone. */
const busy: Array<ChildProcess> = []
beforeAll(async () => {
  const script = "const { ppid } = process; while (process.ppid === ppid);"
  for (let n = 0; n < 2; n++) busy.push(spawn(process.execPath, ["-e", script], { stdio: "ignore" }))
  await Promise.all(busy.map((child) => once(child, "spawn")))
})
afterAll(() => {
  for (const child of busy) child.kill("SIGKILL")
})

describe(`${times} times on a busy machine`, { timeout: 600_000 }, () => {
  it("each race is kept by a good server", async () => {
    const report = await run(races)
    expect(
      countsIn(report).toSorted((one, other) => races.indexOf(one.name) - races.indexOf(other.name)),
      sawIn(report)
    )
      .toEqual(races.map((name) => ({ name, kept: times, lost: 0, notAsked: 0 })))
  })

  it.each(races)("%s is lost by a server with that fault", async (name) => {
    const report = await run([name], name)
    expect(countsIn(report), sawIn(report)).toEqual([{ name, kept: 0, lost: times, notAsked: 0 }])
  })
})
