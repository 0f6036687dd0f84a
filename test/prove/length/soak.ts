import { spawn } from "node:child_process"
import { once } from "node:events"
import { text } from "node:stream/consumers"
import { fileURLToPath } from "node:url"
import type { Result } from "../../soak/soak.js"
import type { Proof } from "./proof.js"

const main = fileURLToPath(new URL("../../soak/main.ts", import.meta.url))

const minutes = 10

/** Of one process: what it holds after its last cycle is compared with an early one. */
const run = async (): Promise<Result> => {
  const args = ["--expose-gc", "--import", "tsx", main, "--minutes", String(minutes), "--json"]
  const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] })
  const kill = () => child.kill("SIGKILL")
  process.once("exit", kill)
  const [printed] = await Promise.all([text(child.stdout), once(child, "exit")])
  process.off("exit", kill)
  return JSON.parse(printed) as Result
}

export const soak: Proof = {
  what: "shutdowns under mixed load and restarts, one every few seconds: as many as one every half minute of a day",
  unit: "shutdown cycles",
  goal: 2880,
  trial: "request, stream, WebSocket or cycle",
  step: async () => {
    const { cycles, failures, heapBytes: [early, late], tally } = await run()
    const { aborted, answered, http2, messages, streams, webSockets } = tally
    return {
      units: cycles,
      trials: answered + streams + webSockets + http2 + cycles,
      failures,
      counts: { answered, streams, webSockets, messages, http2, aborted, heapGrowthBytes: late - early }
    }
  }
}
