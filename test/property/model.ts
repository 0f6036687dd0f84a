/**
 * The rules of docs/guarantees.md, said once more and independently: as what the clients, the handlers, the hooks, the observers
 * and the callers of one history must have seen. Where it is the client's own doing, or where two things happened at the
 * same time and nobody can say which came first, either is right.
 */
import type { Facts } from "./facts.js"
import * as answers from "./rules/answers.js"
import * as report from "./rules/report.js"
import * as shutdown from "./rules/shutdown.js"

const rules: ReadonlyArray<(facts: Facts) => Iterable<string>> = [
  answers.owed,
  answers.executed,
  answers.answered,
  answers.seen,
  answers.endings,
  answers.streams,
  answers.upgraded,
  shutdown.bounded,
  shutdown.phases,
  shutdown.callers,
  shutdown.connections,
  shutdown.hooks,
  shutdown.counted,
  shutdown.nothingLeft,
  report.cut,
  report.served
]

/** What of the rules a history has violated. */
export const violations = (facts: Facts): ReadonlyArray<string> => rules.flatMap((rule) => Array.from(rule(facts)))
