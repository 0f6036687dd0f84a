/** A history: how a server is made and held, what happens to it, and how it ends. All of it is data. */
import * as FastCheck from "fast-check"
import type { Kind } from "./requests.js"
import { kinds } from "./requests.js"

export interface PolicyDraw {
  readonly lameDuck: number
  readonly timeout: number
  readonly killTimeout: number
  readonly idleGrace: number | "keepAliveTimeout"
  readonly newConnectionGrace: number
  readonly poll: "default" | "spaced" | "once" | "never"
}

/** What listens: by whom it is answered, and on what. */
export const listenerKinds = [
  "tcp app",
  "unix app",
  "h2 app",
  "tcp plain",
  "unix plain",
  "h2 plain",
  "tcp adopted"
] as const

export type ListenerKind = typeof listenerKinds[number]

export const hookKinds = ["quick", "fails", "dies", "held", "masked", "slow"] as const

export type HookKind = typeof hookKinds[number]

/** How many turns of the event loop pass before the next command: none, one, or until nothing moves any more. */
export type Gap = "none" | "turn" | "rest"

interface OfClient {
  readonly client: number
}

export type Command =
  | { readonly _tag: "Connect"; readonly listener: number; readonly halfOpen: boolean }
  /** A new request, and how much of it: in hundredths of its bytes. */
  | (OfClient & { readonly _tag: "Request"; readonly kind: Kind; readonly head: boolean; readonly part: number })
  /** More of the request that was begun. */
  | (OfClient & { readonly _tag: "Rest"; readonly part: number })
  | (OfClient & { readonly _tag: "Pipeline"; readonly kinds: ReadonlyArray<Kind> })
  | (OfClient & { readonly _tag: "Upgrade"; readonly to: "websocket" | "echo" | "declined"; readonly polite: boolean })
  | (OfClient & { readonly _tag: "Message" })
  | (OfClient & { readonly _tag: "StopReading" })
  | (OfClient & { readonly _tag: "ReadSome" })
  | (OfClient & { readonly _tag: "ReadOn" })
  | (OfClient & { readonly _tag: "HalfClose" })
  | (OfClient & { readonly _tag: "Leave" })
  | (OfClient & { readonly _tag: "Reset" })
  | (OfClient & { readonly _tag: "ResetStream"; readonly stream: number })
  | (OfClient & { readonly _tag: "Ping" })
  /** A handler that waits goes on: a stream by a piece, any other to its end. */
  | { readonly _tag: "Finish"; readonly handler: number; readonly how: "answer" | "fail" | "die" | "piece" }
  | { readonly _tag: "Hook"; readonly kind: HookKind; readonly limit: number | undefined }
  | { readonly _tag: "FinishHook"; readonly hook: number; readonly how: "succeed" | "fail" | "die" }
  | { readonly _tag: "TakeHookBack"; readonly hook: number }
  | { readonly _tag: "Open"; readonly kind: ListenerKind }
  | { readonly _tag: "CloseListener"; readonly listener: number }
  | { readonly _tag: "Advance"; readonly millis: number }
  | { readonly _tag: "Shutdown"; readonly how: "call" | "interrupt" | "scope" }
  | { readonly _tag: "DrainNow" }
  | { readonly _tag: "Signal" }
  | { readonly _tag: "Close" }

export interface Step {
  readonly command: Command
  readonly gap: Gap
}

export interface History {
  readonly policy: PolicyDraw
  readonly main: "app" | "app over h2" | "app over unix" | "plain"
  readonly held: "scope" | "fiber" | "signals"
  readonly throwingObserver: boolean
  readonly listeners: ReadonlyArray<ListenerKind>
  readonly steps: ReadonlyArray<Step>
  /** `let go`: everything that waits goes on; `wait`: the clock moves on; `close`: the server is closed. */
  readonly finale: "let go" | "wait" | "close"
}

const weighted = <A>(...of: ReadonlyArray<readonly [weight: number, value: A]>): FastCheck.Arbitrary<A> =>
  FastCheck.oneof(...of.map(([weight, value]) => ({ weight, arbitrary: FastCheck.constant(value) })))

const policy: FastCheck.Arbitrary<PolicyDraw> = FastCheck.record({
  lameDuck: weighted([6, 0], [1, 1], [2, 2000]),
  timeout: weighted([8, 8000], [3, 1000], [3, 50], [1, 0], [3, 30_000], [1, Number.POSITIVE_INFINITY]),
  killTimeout: weighted([4, 1000], [2, 0], [1, 200]),
  idleGrace: weighted<number | "keepAliveTimeout">([4, 500], [3, 0], [1, 50], [1, 3000], [3, "keepAliveTimeout"]),
  newConnectionGrace: weighted([4, 5000], [2, 0], [2, 200]),
  poll: weighted<PolicyDraw["poll"]>([4, "default"], [1, "spaced"], [1, "once"], [2, "never"])
}).map((policy) => ({
  ...policy,
  timeout: policy.idleGrace === "keepAliveTimeout" ? Math.max(policy.timeout, 8000) : policy.timeout
}))

const index = FastCheck.nat({ max: 7 })
const part = FastCheck.oneof(
  { weight: 3, arbitrary: FastCheck.constant(100) },
  { weight: 2, arbitrary: FastCheck.integer({ min: 1, max: 99 }) }
)
const kind: FastCheck.Arbitrary<Kind> = weighted(
  ...kinds.map((kind) => [kind === "held" || kind === "quick" ? 4 : kind === "big" ? 1 : 2, kind] as const)
)
const constant = <const A extends string>(...values: ReadonlyArray<A>) => FastCheck.constantFrom(...values)
const tagged = <const T extends Command["_tag"]>(tag: T) => FastCheck.constant(tag)

const command: FastCheck.Arbitrary<Command> = FastCheck.oneof(
  {
    weight: 14,
    arbitrary: FastCheck.record({
      _tag: tagged("Connect"),
      listener: index,
      halfOpen: FastCheck.boolean()
    })
  },
  {
    weight: 30,
    arbitrary: FastCheck.record({
      _tag: tagged("Request"),
      client: index,
      kind,
      head: weighted([5, false], [1, true]),
      part
    })
  },
  { weight: 10, arbitrary: FastCheck.record({ _tag: tagged("Rest"), client: index, part }) },
  {
    weight: 7,
    arbitrary: FastCheck.record({
      _tag: tagged("Pipeline"),
      client: index,
      kinds: FastCheck.array(kind, { minLength: 2, maxLength: 4 })
    })
  },
  {
    weight: 8,
    arbitrary: FastCheck.record({
      _tag: tagged("Upgrade"),
      client: index,
      to: constant("websocket", "websocket", "echo", "declined"),
      polite: FastCheck.boolean()
    })
  },
  { weight: 6, arbitrary: FastCheck.record({ _tag: tagged("Message"), client: index }) },
  {
    weight: 5,
    arbitrary: FastCheck.record({
      _tag: FastCheck.constantFrom("StopReading" as const, "ReadSome" as const, "ReadOn" as const),
      client: index
    })
  },
  {
    weight: 4,
    arbitrary: FastCheck.record({
      _tag: FastCheck.constantFrom("HalfClose" as const, "Leave" as const, "Reset" as const),
      client: index
    })
  },
  { weight: 4, arbitrary: FastCheck.record({ _tag: tagged("ResetStream"), client: index, stream: index }) },
  { weight: 1, arbitrary: FastCheck.record({ _tag: tagged("Ping"), client: index }) },
  {
    weight: 20,
    arbitrary: FastCheck.record({
      _tag: tagged("Finish"),
      handler: index,
      how: constant("answer", "answer", "answer", "piece", "piece", "fail", "die")
    })
  },
  {
    weight: 5,
    arbitrary: FastCheck.record({
      _tag: tagged("Hook"),
      kind: constant(...hookKinds),
      limit: weighted<number | undefined>([3, undefined], [1, 0], [1, 100], [1, 2000])
    })
  },
  {
    weight: 2,
    arbitrary: FastCheck.record({
      _tag: tagged("FinishHook"),
      hook: index,
      how: constant("succeed", "succeed", "fail", "die")
    })
  },
  { weight: 1, arbitrary: FastCheck.record({ _tag: tagged("TakeHookBack"), hook: index }) },
  { weight: 2, arbitrary: FastCheck.record({ _tag: tagged("Open"), kind: constant(...listenerKinds) }) },
  { weight: 2, arbitrary: FastCheck.record({ _tag: tagged("CloseListener"), listener: index }) },
  {
    weight: 8,
    arbitrary: FastCheck.record({
      _tag: tagged("Advance"),
      millis: FastCheck.constantFrom(0, 1, 10, 49, 50, 51, 199, 201, 499, 500, 501, 1000, 2500, 5000, 7000, 10_000)
    })
  },
  {
    weight: 3,
    arbitrary: FastCheck.record({ _tag: tagged("Shutdown"), how: constant("call", "interrupt", "scope") })
  },
  { weight: 1, arbitrary: FastCheck.record({ _tag: tagged("DrainNow") }) },
  { weight: 1, arbitrary: FastCheck.record({ _tag: tagged("Signal") }) },
  { weight: 1, arbitrary: FastCheck.record({ _tag: tagged("Close") }) }
)

export const history: FastCheck.Arbitrary<History> = FastCheck.record({
  policy,
  main: constant("app", "app", "app over h2", "app over unix", "plain"),
  held: constant("scope", "fiber", "signals"),
  throwingObserver: weighted([9, false], [1, true]),
  listeners: FastCheck.array(constant(...listenerKinds), { maxLength: 2 }),
  steps: FastCheck.array(
    FastCheck.record({ command, gap: weighted<Gap>([6, "rest"], [2, "turn"], [2, "none"]) }),
    { minLength: 1, maxLength: 40, size: "max" }
  ),
  finale: weighted<History["finale"]>([6, "let go"], [3, "wait"], [1, "close"])
})

/** One line a command, as a test may be written from it. */
export const show = (history: History): string =>
  JSON.stringify({ ...history, steps: undefined }, (_, value: unknown) => value === Infinity ? "Infinity" : value) +
  "\n"
  + history.steps.map(({ command, gap }) => `  ${JSON.stringify(command)}${gap === "rest" ? "" : ` (gap: ${gap})`}`)
    .join("\n")
