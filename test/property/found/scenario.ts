/** A counterexample that was found once, as small as it became. */
import { expect } from "vitest"
import type { Command, Gap, History } from "../history.js"
import { check, withDirectory } from "../run.js"

type Step = Command | readonly [command: Command, gap: Gap]

const usual: Omit<History, "steps"> = {
  policy: {
    lameDuck: 0,
    timeout: 8000,
    killTimeout: 1000,
    idleGrace: 500,
    newConnectionGrace: 5000,
    poll: "default"
  },
  main: "app",
  held: "scope",
  throwingObserver: false,
  listeners: [],
  finale: "let go"
}

/** Every rule holds, whatever is not said being as usual. */
export const holds = async (
  { policy, steps, ...history }: Partial<Omit<History, "steps" | "policy">> & {
    readonly policy?: Partial<History["policy"]>
    readonly steps: ReadonlyArray<Step>
  }
): Promise<void> => {
  const whole: History = {
    ...usual,
    ...history,
    policy: { ...usual.policy, ...policy },
    steps: steps.map((step) => "_tag" in step ? { command: step, gap: "rest" } : { command: step[0], gap: step[1] })
  }
  expect(await withDirectory((directory) => check(whole, directory))).toEqual([])
}
