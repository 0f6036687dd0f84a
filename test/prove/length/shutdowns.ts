import { cyclesHold } from "../../conformance/guarantees/cycles.js"
import type { Proof } from "./proof.js"

const inOneProcess = 10_000

export const shutdowns: Proof = {
  what: "starts and stops of a server in one process, which holds no more at the end than after the first",
  unit: "shutdowns",
  goal: inOneProcess,
  trial: "shutdown",
  step: async () => {
    const { problems } = await cyclesHold(inOneProcess, 1_800_000)
    return { units: inOneProcess, trials: inOneProcess, failures: problems }
  }
}
