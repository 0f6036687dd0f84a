import * as Fs from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { describe, expect, it } from "vitest"
import { startsBesidesNode } from "./onlyNode.js"

// On a machine that has nothing but Node no test may fail: whoever needs another program asks for it by
// `describeWith` (describeWith.ts), and starts it by `start`, `outputOf` or `under` (program.ts).

const folder = fileURLToPath(new URL("../", import.meta.url))

/** They start what a `Program` names. */
const asked = ["support/program.ts", "support/child.ts"]

/** Packages, and what is built with them. */
const isInstalled = (name: string) => /(^|\/)(node_modules|\.next)\//.test(name)

/** The benchmarks are no tests, and look for the programs that they are compared with themselves. */
const isBench = (name: string) => name.startsWith("bench/")

describe("programs besides Node", () => {
  it("nothing else in test/ starts one", () => {
    const sources = Fs.readdirSync(folder, { recursive: true, encoding: "utf8" })
      .map((name) => name.replaceAll("\\", "/"))
      .filter((name) => /\.[cm]?[jt]sx?$/.test(name) && !asked.includes(name))
      .filter((name) => !isBench(name) && !isInstalled(name))
      .filter((name) => !name.startsWith("support/onlyNode"))
    expect(sources).toContain("e2e/examples/examples.test.ts")
    expect(sources.flatMap((name) => startsBesidesNode(name, Fs.readFileSync(join(folder, name), "utf8")))).toEqual([])
  })

  const bad: Readonly<Record<string, string>> = {
    "a program": `import { spawn } from "node:child_process"\nspawn("curl", [])`,
    "a program, found out later": `import { spawnSync } from "child_process"\nspawnSync(command, [process.execPath])`,
    "under another name": `import { execFile as run } from "node:child_process"\nrun("haproxy")`,
    "passed on": `import { execFile } from "node:child_process"\npromisify(execFile)("nsenter")`,
    "in a property": `import { spawn } from "node:child_process"\nexport const ways = { spawn }`,
    "by a shell": `import { execSync } from "node:child_process"\nexecSync("nginx -v")`,
    "by all of the module": `import * as Cp from "node:child_process"\nCp.spawn("curl")`,
    "by its default": `import Cp from "node:child_process"\nCp.spawn("curl")`,
    "by require": `const { spawn } = require("child_process")\nspawn("curl")`,
    "by import()": `const { spawn } = await import("node:child_process")\nspawn("curl")`,
    "by getBuiltinModule": `process.getBuiltinModule("node:child_process").spawn("curl")`,
    "by what another file exports": `export { spawn } from "node:child_process"`,
    "in code that is a string": "evaluate(`require('child_process').execSync('${curl}')`)",
    "by Effect": `import * as Command from "@effect/platform/Command"\nCommand.make("curl")`
  }
  for (const [how, text] of Object.entries(bad)) {
    it(`is seen: ${how}`, () => {
      expect(startsBesidesNode("some.ts", text)).toEqual([expect.stringMatching(/^some\.ts:[12]: /)])
    })
  }

  it("Node itself is none", () => {
    const good = [
      `import { type ChildProcess, fork, spawn, type SpawnOptions } from "node:child_process"`,
      `const child: ChildProcess = spawn(process.execPath, ["--version"])`,
      `fork("some.js")`,
      `worker.spawn("curl")`
    ]
    expect(startsBesidesNode("some.ts", good.join("\n"))).toEqual([])
  })
})
