/**
 * What a server tells of itself: its events, and each change of its connections.
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { ConnectionRegistry } from "../core/connectionRegistry.js"
import type { Connection } from "../model/connection.js"
import type { Event, ServerService } from "../model/server.js"

export class ServerEvents {
  readonly #registry: ConnectionRegistry
  readonly #readers = new Set<(event: Event) => void>()

  constructor(registry: ConnectionRegistry) {
    this.#registry = registry
  }

  emit(event: Event): void {
    for (const reader of this.#readers) reader(event)
  }

  readonly observe: ServerService["observe"] = (observer) =>
    Effect.acquireRelease(
      Effect.sync(() => {
        // the same function may observe twice
        const own = (connection: Connection) => observer(connection)
        this.#registry.observers.add(own)
        return own
      }),
      (own) => Effect.sync(() => this.#registry.observers.delete(own))
    ).pipe(Effect.asVoid)

  /** Tells all that happens from now on. */
  tell(reader: (event: Event) => void): Effect.Effect<void, never, Scope.Scope> {
    return Effect.acquireRelease(
      Effect.sync(() => void this.#readers.add(reader)),
      () => Effect.sync(() => this.#readers.delete(reader))
    ).pipe(
      Effect.zipRight(this.observe((connection) => reader({ _tag: "ConnectionChanged", connection })))
    )
  }
}
