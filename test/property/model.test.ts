import { describe, expect, it } from "vitest"
import { runHistories } from "./run.js"

// Histories of everybody who deals with a server, held against the rules of the design: the same ones each time, so that
// a change that breaks a rule is what fails. `npm run prove` and `node --import tsx test/property/main.ts` draw new ones.

const perSeed = 100

describe("over any history every rule holds", () => {
  for (const seed of [1, 300, 20_000, 777_777]) {
    it(`from the seed ${seed}`, () => holds(seed), 60_000)
  }
})

const holds = async (seed: number): Promise<void> => {
  const { commands, failures, histories } = await runHistories({ histories: perSeed, seed })
  expect(failures.map(({ history, path, seed, violated }) => `${seed}:${path}\n${violated}\n${history}`)).toEqual([])
  expect(histories).toBe(perSeed)
  expect(commands).toBeGreaterThan(perSeed)
}
