/** A Redis of its own, in memory. */
import * as Fs from "node:fs"
import * as Os from "node:os"
import * as Path from "node:path"
import { freePort } from "../../src/internal/check/process/listening.js"
import * as Programs from "../support/program.js"
import { untilListens } from "./server.js"

const redis: Programs.Program = { name: "Redis", commands: ["redis-server"], debian: "redis-server" }

export interface Redis {
  readonly port: number
  readonly stop: () => Promise<void>
}

export const startRedis = async (): Promise<Redis> => {
  const problem = Programs.whyNot(redis)
  if (problem !== undefined) throw new Error(problem)
  const directory = Fs.mkdtempSync(Path.join(Os.tmpdir(), "quiesce-redis-"))
  const port = await freePort()
  const args = ["--port", `${port}`, "--bind", "127.0.0.1", "--save", "", "--dir", directory, "--appendonly", "no"]
  const running = Programs.start(redis, args)
  await untilListens("Redis", port)
  return {
    port,
    stop: async () => {
      await running.kill()
      Fs.rmSync(directory, { recursive: true, force: true })
    }
  }
}
