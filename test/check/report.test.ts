import { stripVTControlCharacters } from "node:util"
import type { Result } from "quiesce/check"
import { describe, expect, it } from "vitest"
import { commandLine, inShell } from "../../src/internal/check/report/commandLine.js"
import { comparison } from "../../src/internal/check/report/compared.js"
import { coloured, plain } from "../../src/internal/check/report/style.js"
import { cause, losses, remedyOf, row } from "../../src/internal/check/report/text.js"
import { connectionPerRequest } from "../../src/internal/check/scenario/newConnections.js"

const { advice, name, rule, sentence } = connectionPerRequest

const lost: Result = {
  name,
  sentence,
  rule: { ...rule, url: "https://localhost/" },
  advice,
  verdict: "lost",
  saw: "32 requests lost: no answer: the connection was reset",
  counts: { kept: 1, lost: 2, notAsked: 0 },
  millis: 1,
  transcript: []
}

const report = (results: ReadonlyArray<Result>) => ({
  command: [],
  offer: {
    target: { path: "" },
    separate: true,
    otherPorts: [],
    status: 200,
    startMillis: 1,
    http1: true,
    keepAlive: true,
    post: undefined,
    continues: false,
    unusable: {},
    slowMillis: undefined,
    bigBytes: undefined
  },
  results,
  kept: 0,
  lost: 1,
  notAsked: 0,
  millis: 1,
  exitCode: 1 as const
})

const widest = (text: string) => Math.max(...text.split("\n").map(({ length }) => length))

describe("a report in a narrow terminal", () => {
  it("has what was seen below the name, and no line that the terminal breaks", () => {
    const text = row(plain, lost, 40)
    expect(text.split("\n")[0]).toBe(`✗ ${name}`)
    expect(text.replaceAll(/\s+/g, " ")).toBe(`✗ ${name} ${lost.saw} (2 of 3 times)`)
    expect(widest(text)).toBeLessThanOrEqual(40)
    expect(widest(losses(plain, report([lost]), 40))).toBeLessThanOrEqual(40)
  })

  it("compares servers by their numbers", () => {
    const two = ["node 'my server.js' --in-a-folder-with-a-long-name", "./b"].map((command) => ({
      ...report([lost]),
      command: inShell(command)
    }))
    expect(comparison(plain, two, 40).split("\n")).toEqual([
      "1 …er.js' --in-a-folder-with-a-long-name",
      "2 ./b",
      `${" ".repeat(25)}1  2`,
      `${name.padEnd(24)} ✗  ✗`
    ])
    expect(comparison(plain, two, 80).split("\n")[1]).toBe(`${name.padEnd(24)} ✗ lost                      ✗ lost`)
    expect(widest(comparison(plain, two, 80))).toBeLessThanOrEqual(80)
  })

  it("is one line where there is room, or no terminal", () => {
    expect(row(plain, lost, 120)).not.toContain("\n")
    expect(row(plain, lost)).not.toContain("\n")
  })

  it("is coloured without a change of its lines", () => {
    expect(stripVTControlCharacters(row(coloured, lost, 40))).toBe(row(plain, lost, 40))
  })
})

describe("a command", () => {
  it("is printed as it is typed", () => {
    expect(commandLine(["node", "my server.js", "--port={port}", "it's", ""])).toBe(
      `node 'my server.js' --port={port} 'it'\\''s' ''`
    )
    expect(commandLine(inShell("node 'old server.js'"))).toBe("node 'old server.js'")
  })

  it("that starts a Node server is said with what mends it", () => {
    expect(remedyOf(["/usr/bin/node", "my server.js"])).toContain(
      "\n  quiesce check -- /usr/bin/node --import quiesce/register 'my server.js'"
    )
    expect(remedyOf(["node", "--import", "quiesce/register", "server.js"])).toBeUndefined()
    expect(remedyOf(["gunicorn", "node"])).toBeUndefined()
  })
})

describe("what the losses have in common", () => {
  const end = { stillRunning: false, code: null, signal: "SIGTERM", millis: 3 }
  const died: Result = { ...lost, name: "exit-code", end }

  it("is said where the server has no handler of the signal", () => {
    expect(cause(report([lost, died]))).toMatch(/^It has no handler for SIGTERM, /)
  })

  it("is not, where it is about one of them, or the server ended by itself", () => {
    expect(cause(report([died]))).toBeUndefined()
    expect(cause(report([lost, { ...died, end: { ...end, code: 1, signal: null } }]))).toBeUndefined()
  })
})
