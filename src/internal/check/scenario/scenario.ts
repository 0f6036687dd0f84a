/**
 * A scenario: clients that do something around the signal, and what it means for them.
 */
import type { Advice, Finding, Offer, Rule, Settings } from "../model.js"
import type { Stage } from "../run/stage.js"

export interface Scenario {
  readonly name: string
  readonly sentence: string
  readonly rule: Rule
  readonly advice: Advice
  /** It is about milliseconds, or loads the machine: nothing runs beside it. */
  readonly alone: boolean
  /** It may take as long as a supervisor waits. */
  readonly patient: boolean
  /** Clients that are later than that at once, since the machine is busy, are not those of the scenario. */
  readonly lateMillis: number
  /** What the server leaves behind is looked at, and not ended with it. */
  readonly keepsOrphans: boolean
  /** Why it cannot be asked of this server. */
  readonly unasked: (offer: Offer, settings: Settings) => Unasked | undefined
  readonly run: (stage: Stage) => Promise<Finding>
}

export interface Unasked {
  readonly why: string
  /** It was asked for, and is not possible. */
  readonly failed?: boolean
}

interface Definition<Facts> {
  readonly name: string
  readonly sentence: string
  readonly rule: Rule
  readonly advice: Advice
  /** In which version of HTTP its clients speak; without it, in HTTP/1.1. */
  readonly speaks?: "http2" | "any"
  readonly alone?: boolean
  readonly patient?: boolean
  /** Default: 1 second, which no server may take for the end of its client. */
  readonly lateMillis?: number
  readonly keepsOrphans?: boolean
  readonly unasked?: (offer: Offer, settings: Settings) => Unasked | undefined
  /** What happens. It judges nothing. */
  readonly clients: (stage: Stage) => Promise<Facts>
  /** What that means. It does nothing. */
  readonly judge: (facts: Facts, offer: Offer) => Finding
}

export const scenario = <Facts>(definition: Definition<Facts>): Scenario => ({
  name: definition.name,
  sentence: definition.sentence,
  rule: definition.rule,
  advice: definition.advice,
  alone: definition.alone === true,
  patient: definition.patient === true,
  lateMillis: definition.lateMillis ?? 1000,
  keepsOrphans: definition.keepsOrphans === true,
  unasked: (offer, settings) =>
    definition.speaks === undefined && !offer.http1
      ? { why: "it speaks HTTP/2 alone" }
      : definition.unasked?.(offer, settings),
  run: async (stage) => definition.judge(await definition.clients(stage), stage.offer)
})

export const kept = (saw: string): Finding => ({ verdict: "kept", saw })

export const lost = (saw: string): Finding => ({ verdict: "lost", saw })

export const notAsked = ({ failed, why }: Unasked): Finding => ({
  verdict: "notAsked",
  saw: why,
  unasked: failed === true ? "failed" : "notOffered"
})

/** Whether a request in flight is answered is asked by others: here it is what the question begins with. */
export const notAnswered = notAsked({ why: "the request that was in flight was not answered" })

/** For a scenario that needs a path: which one, and what is to be there. */
export const needsPath = (option: "slow" | "big" | "stream" | "ws", what: string) =>
(
  offer: Offer,
  settings: Settings
): Unasked | undefined => {
  if (settings[option] === undefined) return { why: `--${option} PATH: ${what}` }
  const why = offer.unusable[option]
  return why === undefined ? undefined : { why: `--${option} ${settings[option]}: ${why}`, failed: true }
}

/** For a scenario that sends a body late. */
export const needsBody = (offer: Offer, settings: Settings): Unasked | undefined => {
  if (offer.post !== undefined) return undefined
  const why = offer.unusable["post"]
  if (why !== undefined) return { why: `--post ${settings.post}: ${why}`, failed: true }
  return { why: "--post PATH: where a body is read before the answer" }
}

export const needsKeepAlive = (offer: Offer): Unasked | undefined =>
  offer.keepAlive ? undefined : { why: "it closes each connection after one answer" }
