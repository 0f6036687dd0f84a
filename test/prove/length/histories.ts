import { modelOutcome } from "../model.js"
import type { Proof } from "./proof.js"

const atOnce = 5000

export const histories: Proof = {
  what: "random histories of a server and its clients, each checked against every rule",
  unit: "histories",
  goal: 100_000,
  trial: "history",
  step: async (seed) => {
    const { commands, failures, histories } = await modelOutcome(atOnce, seed)
    return { units: histories, trials: histories, failures, counts: { commands } }
  }
}
