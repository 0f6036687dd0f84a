/** Random histories of a server and its clients, each checked against every rule. */
import { spawn } from "node:child_process"
import * as Fs from "node:fs"
import { fileURLToPath } from "node:url"
import { type Outcome, progress, timed } from "./outcome.js"

const main = fileURLToPath(new URL("../property/main.ts", import.meta.url))

export const runModel = async (histories: number, seed: number): Promise<Outcome> => {
  const how = "random histories of a server and its clients"
  if (!Fs.existsSync(main)) {
    return {
      how,
      often: "never",
      result: "the model is not there",
      seconds: 0,
      failures: ["test/property/main.ts is missing"]
    }
  }
  const args = ["--import", "tsx", main, "--histories", String(histories), "--seed", String(seed), "--workers", "2"]
  let output = ""
  const [code, seconds] = await timed(() =>
    new Promise<number | null>((resolve, reject) => {
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
  )
  const [, done = "0", commands = "0"] = /^(\d+) histories, (\d+) commands/m.exec(output) ?? []
  const failed = output.split(/\n(?=FAILED, replay with)/).slice(1)
  const held = code === 0 && Number(done) >= histories
  return {
    how,
    often: `${done} histories of ${commands} commands`,
    result: held
      ? "every rule held in each"
      : failed.length > 0
      ? `${failed.length} counterexamples`
      : "did not end well",
    seconds,
    failures: held ? [] : failed.length > 0 ? failed.map((each) => each.slice(0, 3000)) : [output.slice(-3000)]
  }
}
