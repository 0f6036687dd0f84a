/**
 * The servers that a thread of the program listens with. Each has a server of ours of its own, since a program may close
 * one and open another.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Runtime from "effect/Runtime"
import * as Scope from "effect/Scope"
import type * as Net from "node:net"
import { isWatched, whenUnwatched } from "../listener/nodeEvents.js"
import type { NodeServer } from "../model/listener.js"
import type { Policy } from "../model/policy.js"
import type { Report } from "../model/report.js"
import type { PlainService } from "../model/server.js"
import * as Server from "../server/make.js"

/** Whoever shuts them down. */
export interface Owner {
  readonly opened: (service: PlainService) => void
  readonly isStopping: () => boolean
  readonly closed: (service: PlainService, report: Report) => void
  /** One that was offered is open now, or is not to be. */
  readonly settled: () => void
}

export class Servers {
  readonly open = new Set<PlainService>()
  readonly #policy: Policy
  readonly #runtime: Runtime.Runtime<never>
  readonly #around: <A, E>(effect: Effect.Effect<A, E>) => Effect.Effect<A, E>
  readonly #owner: Owner

  constructor(
    policy: Policy,
    runtime: Runtime.Runtime<never>,
    owner: Owner,
    /** Of all that they do and log. */
    around: <A, E>(effect: Effect.Effect<A, E>) => Effect.Effect<A, E> = (effect) => effect
  ) {
    this.#policy = policy
    this.#runtime = runtime
    this.#owner = owner
    this.#around = around
  }

  /** A server that listens. One that the program has given to this package itself is left alone. */
  take(node: Net.Server): void {
    if (isWatched(node)) whenUnwatched(node, () => this.take(node))
    else if (node.listening) this.#adopt(node)
    this.#owner.settled()
  }

  readonly run = (effect: Effect.Effect<unknown, unknown>): void =>
    void Runtime.runFork(this.#runtime)(this.#around(effect))

  readonly say = (line: Effect.Effect<void>): void => Runtime.runSync(this.#runtime)(this.#around(line))

  #adopt(node: NodeServer): void {
    const scope = Effect.runSync(Scope.make())
    const made = Effect.flatMap(
      Server.make(this.#policy, { quiet: false, unhurried: true, app: () => Effect.succeed(undefined) }),
      ({ service }) => Effect.as(service.adopt(node), service)
    )
    const service = Runtime.runSync(this.#runtime)(this.#around(Scope.extend(made, scope)))
    this.open.add(service)
    this.#owner.opened(service)
    if (this.#owner.isStopping()) this.run(service.shutdown)
    this.run(
      Effect.matchEffect(service.closed, {
        onFailure: ({ report }) => this.#closed(service, scope, report),
        onSuccess: (report) => this.#closed(service, scope, report)
      })
    )
  }

  #closed(service: PlainService, scope: Scope.CloseableScope, report: Report): Effect.Effect<void> {
    const over = Effect.sync(() => {
      this.open.delete(service)
      this.#owner.closed(service, report)
      this.#owner.settled()
    })
    return Effect.zipRight(Effect.exit(Scope.close(scope, Exit.void)), over)
  }
}
