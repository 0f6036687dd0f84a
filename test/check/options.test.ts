import { readFileSync } from "node:fs"
import { check, CheckFailed, type Options } from "quiesce/check"
import { describe, expect, it } from "vitest"
import { parse } from "../../src/internal/check/cli/arguments.js"
import { isLoopback } from "../../src/internal/check/loopback.js"
import { scenarios } from "../../src/internal/check/scenario/all.js"

describe("the arguments of quiesce check", () => {
  it("are options, and behind -- the command with its own", () => {
    const { compare, format, options, verbose } = parse([
      "--slow",
      "/report",
      "--kill-after=2.5s",
      "--signal",
      "int",
      "--only",
      "busy,queue",
      "--only=slow",
      "-v",
      "--tap",
      "--compare",
      "node old.js",
      "--",
      "./server",
      "--port",
      "{port}"
    ])
    expect(options.command).toEqual(["./server", "--port", "{port}"])
    expect(options).toMatchObject({ slow: "/report", killAfterMillis: 2500, signal: "SIGINT" })
    expect(options.only).toEqual(["busy", "queue", "slow"])
    expect({ compare, format, verbose }).toEqual({
      compare: [["/bin/sh", "-c", "exec node old.js"]],
      format: "tap",
      verbose: true
    })
  })

  const wrong: Readonly<Record<string, ReadonlyArray<string>>> = {
    "--kill-after 10: a time with its unit": ["--kill-after", "10", "--", "node"],
    "--repeat x: a whole number": ["--repeat", "x", "--", "node"],
    "--signal KILL: SIGTERM, SIGINT": ["--signal", "KILL", "--", "node"],
    "--json and --tap: one of them": ["--json", "--tap", "--", "node"],
    "--slwo": ["--slwo", "/", "--", "node"]
  }
  for (const [message, args] of Object.entries(wrong)) {
    it(`are refused: ${args.slice(0, -2).join(" ")}`, () => {
      expect(() => parse(args)).toThrow(message)
    })
  }
})

it("each scenario is in docs/check.md, as it is", () => {
  const page = readFileSync(new URL("../../docs/check.md", import.meta.url), "utf8").replaceAll(/ +/g, " ")
  const missing = scenarios.filter(({ name, rule, sentence }) =>
    !page.includes(`| \`${name}\` | ${sentence} | [${rule.text.split(":")[0]}](${rule.url}) |`)
  )
  expect(scenarios.length).toBeGreaterThan(30)
  expect(missing.map(({ name }) => name)).toEqual([])
})

describe("the options of check", () => {
  const wrong: ReadonlyArray<readonly [Partial<Options>, string, string]> = [
    [{ command: [] }, "InvalidOption", "the command that starts the server is missing"],
    [{ host: "192.0.2.1" }, "NotLoopback", "192.0.2.1 is not a loopback address"],
    [{ host: "0.0.0.0" }, "NotLoopback", "0.0.0.0 is not a loopback address"],
    [{ host: "example.org" }, "NotLoopback", "example.org is not a loopback address"],
    [{ only: ["bussy"] }, "InvalidOption", "there is no scenario \"bussy\""],
    [{ repeat: 1.5 }, "InvalidOption", "repeat: 1.5 is no whole number"],
    [{ port: 70_000 }, "InvalidOption", "port: 70000 is no whole number from 1 to 65535"],
    [{ slow: "report" }, "InvalidOption", "slow: \"report\" is no path"],
    [{ path: "/a\r\nX: y" }, "InvalidOption", "is no path"],
    [{ unix: "/dev/null" }, "InvalidOption", "/dev/null is a file, and no socket"]
  ]
  for (const [options, reason, message] of wrong) {
    it(`are refused before anything is started: ${JSON.stringify(options)}`, async () => {
      const failure = await check({ command: ["/there/is/no/such/program"], ...options }).catch((cause: unknown) =>
        cause
      )
      expect(failure).toBeInstanceOf(CheckFailed)
      expect(failure).toMatchObject({ _tag: "CheckFailed", reason })
      expect((failure as CheckFailed).message).toContain(message)
    })
  }

  it("know a loopback address", () => {
    expect(["127.0.0.1", "127.8.9.10", "::1", "0:0:0:0:0:0:0:1", "localhost"].filter((host) => !isLoopback(host)))
      .toEqual([])
    expect(
      ["128.0.0.1", "::", "1::", "::ffff:127.0.0.1", "fe80::1", "1", "127.0.0.1.example.org", ""].filter(isLoopback)
    )
      .toEqual([])
  })
})
