/**
 * Random histories of a server's clients: what each has sent when the shutdown begins, what it sends after that, and
 * whether it stays to hear the answer.
 */
import * as Effect from "effect/Effect"
import * as FastCheck from "fast-check"
import type { RawClient, Target } from "../../support/rawClient.js"
import { client, get, post, responses, send } from "../../support/running.js"

export interface History {
  /** Requests that were answered before the shutdown begins. */
  readonly answered: number
  /** What is under way when it begins. */
  readonly underWay:
    | "nothing"
    | "held"
    | "streaming"
    | "pipelined"
    | "half a head"
    | "half a body"
    | "a crossing request"
  /** The client leaves: never, just before the shutdown begins, or during the drain. */
  readonly leaves: "never" | "before" | "during"
}

export const history: FastCheck.Arbitrary<History> = FastCheck.record({
  answered: FastCheck.nat({ max: 2 }),
  underWay: FastCheck.constantFrom<Array<History["underWay"]>>(
    "nothing",
    "held",
    "streaming",
    "pipelined",
    "half a head",
    "half a body",
    "a crossing request"
  ),
  leaves: FastCheck.oneof(
    { arbitrary: FastCheck.constant("never" as const), weight: 4 },
    { arbitrary: FastCheck.constant("before" as const), weight: 1 },
    { arbitrary: FastCheck.constant("during" as const), weight: 1 }
  )
})

export const histories = FastCheck.array(history, { minLength: 1, maxLength: 6 })

/** What a client sends before the shutdown begins, what it sends after, and the bodies that it is owed. */
const script = (underWay: History["underWay"], id: string) => {
  const order = post("/echo", id)
  switch (underWay) {
    case "nothing":
      return { before: "", after: "", owed: [] }
    case "held":
      return { before: get("/hold"), after: "", owed: ["held"] }
    case "streaming":
      return { before: get("/stream"), after: "", owed: ["first last"] }
    case "pipelined":
      return { before: get("/hold") + order + get("/"), after: "", owed: ["held", id, "ok"] }
    case "half a head":
      return { before: order.slice(0, 20), after: order.slice(20), owed: [id] }
    case "half a body":
      return { before: order.slice(0, -1), after: order.slice(-1), owed: [id] }
    case "a crossing request":
      return { before: "", after: order, owed: [id] }
  }
}

export interface PlayedClient {
  readonly raw: RawClient
  readonly history: History
  readonly owed: ReadonlyArray<string>
  readonly after: string
}

/** Plays what comes before the shutdown. */
export const playBeforeShutdown = (target: Target, clients: ReadonlyArray<History>) =>
  Effect.forEach(
    clients,
    Effect.fnUntraced(function*(history, index) {
      const raw = yield* client(target)
      for (let n = 1; n <= history.answered; n++) {
        yield* send(raw, get("/"))
        yield* responses(raw, n)
      }
      const { after, before, owed } = script(history.underWay, `order-${index}`)
      if (before !== "") yield* send(raw, before)
      if (history.leaves === "before") raw.leave()
      const playing: PlayedClient = {
        raw,
        history,
        owed: [...Array<string>(history.answered).fill("ok"), ...owed],
        after
      }
      return playing
    }),
    { concurrency: "unbounded" }
  )

/** Plays what comes during the drain. */
export const playDuringDrain = (clients: ReadonlyArray<PlayedClient>) =>
  Effect.forEach(clients, ({ after, history, raw }) => {
    if (history.leaves === "during") return Effect.sync(raw.leave)
    return history.leaves === "never" && after !== "" ? send(raw, after) : Effect.void
  }, { discard: true })

/** The bodies of the whole responses that a client has got, once it has all that it is owed. */
export const bodies = ({ owed, raw }: PlayedClient) =>
  Effect.map(responses(raw, owed.length), (responses) => responses.map(({ body }) => body.toString()))

export const clientsThatStayed = (clients: ReadonlyArray<PlayedClient>) =>
  clients.filter(({ history }) => history.leaves === "never")
