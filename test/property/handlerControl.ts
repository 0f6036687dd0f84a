/** Where handlers report what they do, and wait to be told what to do next. */
import type { Moment, RequestFact } from "./facts.js"
import type { Kind } from "./requests.js"
import { idOf } from "./requests.js"

export type HandlerCommand = "answer" | "fail" | "die" | "piece"

export class HandlerControl {
  readonly #facts = new Map<number, RequestFact>()
  readonly #moment: () => Moment
  readonly #stir: () => void
  /** Handlers that wait, by the number of their request. */
  readonly waiting = new Map<number, (how: HandlerCommand) => void>()
  /** Handlers that have not ended. */
  readonly live = new Set<number>()
  readonly troubles: Array<string> = []

  constructor(moment: () => Moment, stir: () => void) {
    this.#moment = moment
    this.#stir = stir
  }

  expect(fact: RequestFact): void {
    this.#facts.set(fact.id, fact)
  }

  /** A handler has been started for the request of that path. */
  enter(path: string): RequestFact | undefined {
    this.#stir()
    const fact = this.#facts.get(idOf(path))
    if (fact === undefined) {
      this.troubles.push(`a handler was started for ${path}, which nobody has asked for`)
      return undefined
    }
    fact.executed++
    fact.started ??= this.#moment()
    this.live.add(fact.id)
    if (answersAtOnce(fact.kind)) this.done(fact)
    else if (fact.kind === "stream") this.begun(fact)
    return fact
  }

  /** It has said how its answer begins. */
  begun(fact: RequestFact): void {
    this.#stir()
    fact.head ??= this.#moment()
  }

  /** It has done all of its work, and what is left is not its own. */
  done(fact: RequestFact, failed = false): void {
    this.begun(fact)
    fact.done ??= this.#moment()
    fact.failed ||= failed
  }

  interrupted(fact: RequestFact): void {
    this.#stir()
    if (fact.done === undefined) fact.interrupted = true
  }

  /** The end of an answer that has failed midway is told by the end of its connection. */
  broke(fact: RequestFact): void {
    this.done(fact, true)
    if (fact.stream === undefined) fact.client.broken ??= this.#moment()
  }

  ended(fact: RequestFact): void {
    this.#stir()
    this.live.delete(fact.id)
    this.waiting.delete(fact.id)
  }

  wait(fact: RequestFact, tell: (how: HandlerCommand) => void): void {
    this.#stir()
    this.waiting.set(fact.id, tell)
  }

  tell(id: number, how: HandlerCommand): void {
    this.#stir()
    this.waiting.get(id)?.(how)
  }
}

const answersAtOnce = (kind: Kind | "websocket" | "echo upgrade" | "declined"): boolean =>
  kind === "quick" || kind === "big" || kind === "deaf" || kind === "declined"
