/** Random histories of a server and its clients, each checked against every rule. */
import { spawn } from "node:child_process"
import { fileURLToPath } from "node:url"
import { type Outcome, progress, timed } from "./outcome.js"

const main = fileURLToPath(new URL("../property/main.ts", import.meta.url))

export interface ModelOutcome {
  readonly histories: number
  readonly commands: number
  /** Each counterexample with how it is replayed, or what the run has said where it did not end well. */
  readonly failures: ReadonlyArray<string>
}

export const modelOutcome = async (histories: number, seed: number): Promise<ModelOutcome> => {
  const args = ["--import", "tsx", main, "--histories", String(histories), "--seed", String(seed), "--workers", "2"]
  let output = ""
  const code = await new Promise<number | null>((resolve, reject) => {
    const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "pipe"] })
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      output += text
      for (const [line] of text.matchAll(/^\d+ of \d+ after.*$/gm)) progress(`  ${line}`)
    })
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      output += text
    })
    child.once("error", reject)
    child.once("close", resolve)
  })
  const [, done = "0", commands = "0"] = /^(\d+) histories, (\d+) commands/m.exec(output) ?? []
  const found = output.split(/\n(?=FAILED, replay with)/).slice(1)
  const held = code === 0 && Number(done) >= histories
  return {
    histories: Number(done),
    commands: Number(commands),
    failures: held ? [] : found.length > 0 ? found.map((each) => each.slice(0, 3000)) : [output.slice(-3000)]
  }
}

export const runModel = async (histories: number, seed: number): Promise<Outcome> => {
  const [{ commands, failures, histories: done }, seconds] = await timed(() => modelOutcome(histories, seed))
  return {
    how: "random histories of a server and its clients",
    often: `${done} histories of ${commands} commands`,
    result: failures.length === 0
      ? "every rule held in each"
      : failures.some((each) => each.startsWith("FAILED"))
      ? `${failures.length} counterexamples`
      : "did not end well",
    seconds,
    failures
  }
}
