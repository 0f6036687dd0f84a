import { describe, expect, it } from "vitest"
import { randomSeed, runHistories } from "./run.js"

// Random histories of everybody who deals with a server, held against the rules of the design. `npm run prove` and
// `node --import tsx test/model/main.ts` play many more of them.

const perSeed = 100

describe("over any history every rule holds", () => {
  for (const seed of [1, 20_000, 777_777]) {
    it(`from the seed ${seed}`, () => holds(seed), 60_000)
  }

  const fresh = randomSeed()
  it(`from a fresh seed, ${fresh}`, () => holds(fresh), 60_000)
})

const holds = async (seed: number): Promise<void> => {
  const { commands, failures, histories } = await runHistories({ histories: perSeed, seed })
  expect(failures.map(({ history, path, seed, violated }) => `${seed}:${path}\n${violated}\n${history}`)).toEqual([])
  expect(histories).toBe(perSeed)
  expect(commands).toBeGreaterThan(perSeed)
}
