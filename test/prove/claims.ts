/** What docs/guarantees.md promises, one sentence a rule, by the number that the rule has in the titles of its tests. */
export interface Claim {
  readonly rule: number
  readonly text: string
  /** Random histories are held against it, too. */
  readonly byHistories: boolean
}

const notOfHistories = [5, 10, 11]

export const claims: ReadonlyArray<Claim> = [
  "a request whose first byte arrived before its listener closed is answered in full, unless its client leaves or the deadline passes",
  "a response that has begun is never truncated before the deadline",
  "a shutdown ends within lameDuck + timeout + killTimeout, whatever peers, handlers and hooks do",
  "after it: no open socket, no live request fiber, no timer and no signal listener; the process ends by itself",
  "the services that a handler uses outlive the handler",
  "a hook runs exactly once, whoever asks for the shutdown and however often; all callers get the same report",
  "every connection is seen New once and Closed once, and Closed before the report",
  "a hook that fails or hangs, an observer that throws, a bad client or an accept error stops neither the server nor the drain",
  "what was executed can be answered, and what is refused was never executed",
  "the event loop never stalls for the drain",
  "in steady state a request costs no more than with @effect/platform-node: no fiber, scope, span or metric on our account"
].map((text, index) => ({ rule: index + 1, text, byHistories: !notOfHistories.includes(index + 1) }))
