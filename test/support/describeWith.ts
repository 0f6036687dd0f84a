import { describe, it } from "vitest"
import { type Program, whyNot } from "./program.js"

interface Options {
  /** Default: the names of the programs. */
  readonly name?: string
  /** Of each test, in milliseconds. */
  readonly timeout?: number
}

/**
 * Tests that need programs which do not come with Node. Where one is missing they are skipped, and what is skipped has
 * the name of Debian's package; but in CI, which installs them, that is a failure.
 */
export const describeWith = (
  programs: Program | ReadonlyArray<Program>,
  tests: () => void,
  { name = [programs].flat().map(({ name }) => name).join(", "), timeout }: Options = {}
): void => {
  const problem = [programs].flat().map(whyNot).find((problem) => problem !== undefined)
  describeUnless(problem, name, tests, timeout)
}

/** As {@link describeWith}, for what else a machine may lack. `problem` says what, and what to do about it. */
export const describeUnless = (
  problem: string | undefined,
  name: string,
  tests: () => void,
  timeout?: number
): void => {
  if (problem === undefined) return void describe(name, timeout === undefined ? {} : { timeout }, tests)
  if (process.env["CI"]) {
    it(name, () => {
      throw new Error(problem)
    })
  } else {
    process.stderr.write(`${problem}\n`)
    describe.skip(`${name}: ${problem}`, tests)
  }
}
