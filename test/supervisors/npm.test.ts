import { spawn } from "node:child_process"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { createRequire } from "node:module"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { describe, expect, it } from "vitest"
import { startLimit } from "../support/child.js"
import { waitFor } from "../support/wait.js"
import { fixture } from "./app.js"
import type { Options } from "./fixtures/app.js"

const tsx = createRequire(import.meta.url).resolve("tsx")

/** `npm start` of a project whose script is this app, or the app as it is without npm. */
const run = async (
  options: Options,
  env: Readonly<Record<string, string>>,
  by: "npm" | "npm, through a shell" | "itself" = "npm"
): Promise<string> => {
  const folder = mkdtempSync(join(tmpdir(), "npm-"))
  const args = ["--import", tsx, fileURLToPath(fixture), JSON.stringify({ launch: "once", ...options })]
  const quoted = [process.execPath, ...args].map((arg) => `'${arg}'`).join(" ")
  const start = by === "npm" ? quoted : `true && ${quoted} && true`
  writeFileSync(join(folder, "package.json"), JSON.stringify({ name: "app", scripts: { start } }))
  const inherited = Object.entries(process.env).filter(([name]) =>
    !/^(npm_|NODE_ENV$|KUBERNETES_|VITEST|TEST$|NODE_OPTIONS$)/i.test(name)
  )
  const [command, given] = by === "itself"
    ? [process.execPath, args] as const
    : ["npm", ["start", "--no-update-notifier"]] as const
  const child = spawn(command, given, {
    cwd: folder,
    env: { ...Object.fromEntries(inherited), ...env },
    stdio: ["ignore", "pipe", "pipe"]
  })
  let out = ""
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text: string) => {
      out += text
    })
  }
  const ended = new Promise<void>((resolve, reject) => {
    child.once("error", reject)
    child.once("close", () => resolve())
  })
  try {
    await waitFor(() => `the end: ${out}`, ended, startLimit)
    expect(child.exitCode, out).toBe(0)
    expect(out).toContain(`"event":"listening"`)
    return out
  } finally {
    child.kill("SIGKILL")
    rmSync(folder, { recursive: true })
  }
}

const warnings = (out: string): ReadonlyArray<string> =>
  out.split("\n").filter((line) => line.includes("was started by npm"))

describe("npm", { timeout: 90_000 }, () => {
  it("in production, one warning for the process, which names npm and what to do", async () => {
    const lines = warnings(await run({}, { NODE_ENV: "production" }))
    expect(lines).toHaveLength(1)
    expect(lines[0]).toContain("WARN")
    if (process.platform === "linux") expect(lines[0]).toMatch(/\(npm start.*, process \d+\)/)
    expect(lines[0]).toContain(`Start node itself: "node server.js"`)
  })

  it("in Kubernetes, and through the shell of a longer script", async () => {
    const out = await run({}, { KUBERNETES_SERVICE_HOST: "10.0.0.1" }, "npm, through a shell")
    expect(warnings(out)).toHaveLength(1)
  })

  it("none while developing", async () => {
    expect(warnings(await run({}, {}))).toEqual([])
  })

  it("none of layerTest", async () => {
    expect(warnings(await run({ test: true }, { NODE_ENV: "production" }))).toEqual([])
  })

  it("none without npm", async () => {
    expect(warnings(await run({}, { NODE_ENV: "production" }, "itself"))).toEqual([])
  })
})
