/** What the README claims, one sentence a rule, by the number that the rule has in the titles of its tests. */
export interface Claim {
  readonly rule: number
  readonly text: string
}

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
  "in steady state nothing costs anything that can be measured: no fiber, scope, span or metric for a request"
].map((text, index) => ({ rule: index + 1, text }))
