import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { expect, it } from "vitest"
import { nodeArgs } from "../../support/bundle.js"
import { startLimit, withChild } from "../../support/child.js"
import { describeWith } from "../../support/describeWith.js"
import { npm, start as startProgram } from "../../support/program.js"
import type { Options } from "./fixtures/app.js"
import { fixture } from "./supervisedApp.js"

/** Without what `npm test` has set, and vitest. */
const clean = Object.fromEntries(
  Object.entries(process.env).filter(([name]) =>
    !/^(npm_|NODE_ENV$|KUBERNETES_|VITEST|TEST$|NODE_OPTIONS$)/i.test(name)
  )
)

const argsOf = (options: Options) => [JSON.stringify({ launch: "once", ...options } satisfies Options)]

/** `npm start` of a project whose script is this app. */
const run = async (
  options: Options,
  env: Readonly<Record<string, string>>,
  through: "npm" | "a shell" = "npm"
): Promise<string> => {
  const folder = mkdtempSync(join(tmpdir(), "npm-"))
  const command = [process.execPath, ...nodeArgs(fixture), ...argsOf(options)]
  const quoted = command.map((arg) => `'${arg}'`).join(" ")
  const start = through === "npm" ? quoted : `true && ${quoted} && true`
  writeFileSync(join(folder, "package.json"), JSON.stringify({ name: "app", scripts: { start } }))
  const { child, kill, output, ran } = startProgram(npm, ["start", "--no-update-notifier"], {
    cwd: folder,
    env: { ...clean, ...env }
  })
  try {
    await ran(startLimit)
    expect(child.exitCode, output()).toBe(0)
    expect(output()).toContain(`"event":"listening"`)
    return output()
  } finally {
    await kill()
    rmSync(folder, { recursive: true })
  }
}

const warnings = (out: string): ReadonlyArray<string> =>
  out.split("\n").filter((line) => line.includes("was started by npm"))

describeWith(npm, () => {
  it("in production, one warning for the process, which names npm and what to do", async () => {
    const lines = warnings(await run({}, { NODE_ENV: "production" }))
    expect(lines).toHaveLength(1)
    expect(lines[0]).toContain("WARN")
    if (process.platform === "linux") expect(lines[0]).toMatch(/\(npm start.*, process \d+\)/)
    expect(lines[0]).toMatch(/Start node itself: "node \/\S+\.mjs"$/)
  })

  it("in Kubernetes, and through the shell of a longer script", async () => {
    const out = await run({}, { KUBERNETES_SERVICE_HOST: "10.0.0.1" }, "a shell")
    expect(warnings(out)).toHaveLength(1)
  })

  it("none while developing", async () => {
    expect(warnings(await run({}, {}))).toEqual([])
  })

  it("none of layerTest", async () => {
    expect(warnings(await run({ test: true }, { NODE_ENV: "production" }))).toEqual([])
  })
}, { timeout: 90_000 })

it("none without npm", { timeout: 90_000 }, () => {
  const unset = Object.fromEntries(
    Object.keys(process.env).filter((name) => !(name in clean)).map((name) => [name, undefined])
  )
  return withChild(fixture, argsOf({}), async (child) => {
    await child.listening()
    expect(await child.exit(startLimit)).toMatchObject({ code: 0 })
    expect(warnings(child.stdout() + child.stderr())).toEqual([])
  }, { env: { ...unset, NODE_ENV: "production" } })
})
