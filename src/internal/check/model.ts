/**
 * What a check is made of: options, scenarios, verdicts, results and the report.
 */

/**
 * An address on this machine.
 *
 * @since 0.2.0
 * @category models
 */
export type Target = { readonly host: string; readonly port: number } | { readonly path: string }

/**
 * What became of the clients of a scenario.
 *
 * @since 0.2.0
 * @category models
 */
export type Verdict = "kept" | "lost" | "notAsked"

/**
 * Why a scenario was not asked: the server or the options do not offer it, or it was tried and could not be.
 *
 * @since 0.2.0
 * @category models
 */
export type Unasked = "notOffered" | "failed"

export interface Finding {
  readonly verdict: Verdict
  /** What the clients got and how the server ended, in a few words. */
  readonly saw: string
  /** Only for what was not asked. */
  readonly unasked?: Unasked
}

/**
 * Where a rule is written.
 *
 * @since 0.2.0
 * @category models
 */
export interface Rule {
  readonly text: string
  readonly url: string
}

/**
 * What a loss means behind each, and how to mend it.
 *
 * @since 0.2.0
 * @category models
 */
export interface Advice {
  readonly nginx: string
  readonly haproxy: string
  readonly kubernetes: string
  readonly remedy: string
}

/**
 * One event at one client, or at the server.
 *
 * @since 0.2.0
 * @category models
 */
export interface TranscriptEntry {
  /** Milliseconds since the signal; negative before it. */
  readonly at: number
  readonly who: string
  readonly what: "opened" | "sent" | "received" | "closed" | "reset" | "failed" | "left" | "signal" | "exit" | "note"
  readonly bytes?: number
  /** The first bytes, escaped. */
  readonly text?: string
}

/**
 * How the server's process ended.
 *
 * @since 0.2.0
 * @category models
 */
export interface End {
  /** It was still running when a supervisor would have killed it. */
  readonly stillRunning: boolean
  readonly code: number | null
  readonly signal: string | null
  /** Since the signal. */
  readonly millis: number
}

/**
 * How often a scenario was asked, and what came of it.
 *
 * @since 0.2.0
 * @category models
 */
export interface Counts {
  readonly kept: number
  readonly lost: number
  readonly notAsked: number
}

/**
 * What came of one scenario.
 *
 * @since 0.2.0
 * @category models
 */
export interface Result {
  readonly name: string
  readonly sentence: string
  readonly rule: Rule
  /** Lost, if it was lost once. */
  readonly verdict: Verdict
  readonly saw: string
  readonly unasked?: Unasked
  /** Over all repeats. */
  readonly counts: Counts
  readonly end?: End
  readonly millis: number
  /** Only where it was lost. */
  readonly advice?: Advice
  readonly transcript: ReadonlyArray<TranscriptEntry>
}

/**
 * What a server does with a request that has a body.
 *
 * @since 0.2.0
 * @category models
 */
export interface Post {
  readonly status: number
  /** The body that it was sent. */
  readonly type: string
  readonly text: string
}

/**
 * What the server was found to offer before the first scenario.
 *
 * @since 0.2.0
 * @category models
 */
export interface Offer {
  readonly target: Target
  /** Each start can have a port or a path of its own, so that several can run at once. */
  readonly separate: boolean
  /** On Linux, the ports that it listens on as well, and that are the same at each start. */
  readonly otherPorts: ReadonlyArray<number>
  readonly status: number
  readonly startMillis: number
  /** It answers in HTTP/1.1. */
  readonly http1: boolean
  readonly keepAlive: boolean
  /** It reads a request's body of this type before it answers, with this status. */
  readonly post: Post | undefined
  /** It sends `100 Continue`. */
  readonly continues: boolean
  /** Why a path that was given cannot be used as what it was given for. */
  readonly unusable: Readonly<Record<string, string>>
  /** What the answer of the path for `slow` took, in milliseconds. */
  readonly slowMillis: number | undefined
  readonly bigBytes: number | undefined
}

/**
 * What came of all scenarios.
 *
 * @since 0.2.0
 * @category models
 */
export interface Report {
  readonly command: ReadonlyArray<string>
  readonly offer: Offer
  readonly results: ReadonlyArray<Result>
  readonly kept: number
  readonly lost: number
  readonly notAsked: number
  readonly millis: number
  /** 0: nothing was lost. 1: something was. 2: something that was asked for could not be. */
  readonly exitCode: 0 | 1 | 2
}

/** What a check is asked to do, with every default filled in. */
export interface Settings {
  readonly command: ReadonlyArray<string>
  readonly cwd: string | undefined
  readonly env: Readonly<Record<string, string | undefined>>
  readonly host: string | undefined
  readonly port: number | undefined
  readonly unix: string | undefined
  readonly tls: boolean
  readonly h2: boolean
  readonly path: string
  readonly post: string | undefined
  readonly slow: string | undefined
  readonly big: string | undefined
  readonly stream: string | undefined
  readonly ws: string | undefined
  readonly signal: NodeJS.Signals
  /** The signal goes to the whole process group, as Ctrl-C and systemd send it. */
  readonly group: boolean
  readonly killAfterMillis: number
  readonly startTimeoutMillis: number
  readonly parallel: number
  readonly repeat: number
  readonly only: ReadonlyArray<string>
  readonly skip: ReadonlyArray<string>
}

/**
 * What happens while a check runs.
 *
 * @since 0.2.0
 * @category models
 */
export type Progress =
  | {
    readonly _tag: "Offered"
    readonly offer: Offer
    readonly scenarios: ReadonlyArray<string>
    readonly leftMillis: number
  }
  | { readonly _tag: "Started"; readonly name: string }
  /** `leftMillis`: about how long the rest takes. */
  | { readonly _tag: "Finished"; readonly result: Result; readonly leftMillis: number }
