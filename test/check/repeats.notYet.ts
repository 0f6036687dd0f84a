import { check, type Options } from "quiesce/check"
import { describe, expect, it } from "vitest"
import { common, faulty, offers, sawIn } from "./servers.js"

// A verdict that changes from one run to the next is a defect of the tool, whatever else the machine does.

const times = 20
const limit = 480_000

/** Those that race with the server, and one of each other kind. */
const repeated = [
  "idle-20ms",
  "idle-500ms",
  "busy",
  "connection-per-request",
  "queue",
  "first-request",
  "next-request",
  "half-head",
  "half-body",
  "pipelined",
  "big",
  "signal-twice",
  "websocket"
]

const options: Partial<Options> = { ...common, ...offers, repeat: times }

describe(`${times} times`, () => {
  it.each(repeated)("%s is kept by a good server", async (name) => {
    const report = await check({ ...options, command: faulty(), only: [name] })
    expect(report.results.map(({ counts }) => counts), sawIn(report)).toEqual([{ kept: times, lost: 0, notAsked: 0 }])
  }, limit)

  it.each(repeated)("%s is lost by a server with that fault", async (name) => {
    const report = await check({ ...options, command: faulty(name), only: [name] })
    expect(report.results.map(({ counts }) => counts), sawIn(report)).toEqual([{ kept: 0, lost: times, notAsked: 0 }])
  }, limit)
})
