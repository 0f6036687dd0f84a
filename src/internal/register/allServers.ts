/**
 * All servers of the process as one, to those who operate it, and to what supervises it. Of those in worker threads only
 * their phase is known here.
 */
import * as Effect from "effect/Effect"
import type { Administered } from "../admin/administered.js"
import { asOne } from "../admin/reports.js"
import { type Phase, phases } from "../model/policy.js"
import type { PlainService } from "../model/server.js"
import { printDuration } from "../model/text.js"
import { viewOf, type WatchedServer } from "../telemetry/telemetry.js"

interface Owner {
  /** Those that are open, also in worker threads. */
  readonly open: () => Iterable<{ readonly phase: { readonly get: Effect.Effect<Phase> } }>
  readonly isStopping: () => boolean
  readonly drainNow: () => void
}

export class AllServers implements Administered {
  readonly #owner: Owner
  #shown: ReadonlyArray<PlainService> = []
  #earlier = { accepted: 0, served: 0 }
  #begun = Effect.unsafeMakeLatch(false)
  #over = Effect.unsafeMakeLatch(false)

  constructor(owner: Owner) {
    this.#owner = owner
  }

  readonly servers = (): ReadonlyArray<PlainService> => this.#shown

  readonly views = (): ReadonlyArray<WatchedServer> => this.#shown.flatMap((server) => viewOf(server) ?? [])

  get earlier(): Administered["earlier"] {
    return this.#earlier
  }

  /** That of the one which is least far. */
  readonly phase: Effect.Effect<Phase> = Effect.suspend(() =>
    Effect.map(
      Effect.all(Array.from(this.#owner.open(), ({ phase }) => phase.get)),
      (all) => phases.find((phase) => all.includes(phase)) ?? "Closed"
    )
  )

  readonly shuttingDown: Effect.Effect<void> = Effect.suspend(() => this.#begun.await)

  readonly drainNow: Effect.Effect<void> = Effect.sync(() => this.#owner.drainNow())

  /** Suspends until all have closed in a shutdown of the process, and says how. */
  readonly closed: Effect.Effect<string> = Effect.suspend(() =>
    Effect.map(this.#over.await, () => {
      const [first, ...rest] = this.views().flatMap(({ telemetry }) => telemetry.lastReport ?? [])
      if (first === undefined) return "Shut down"
      const { duration, outcome } = asOne([first, ...rest])
      return `Shut down in ${printDuration(duration)} (${outcome})`
    })
  )

  add(server: PlainService): void {
    this.#shown = [...this.#shown, server]
    this.forgetClosed()
  }

  /** Those that the program has closed by itself are shown until it has opened another one. */
  forgetClosed(): void {
    const open = new Set<unknown>(this.#owner.open())
    if (open.size === 0 || this.#owner.isStopping()) return
    for (const server of this.#shown) {
      const registry = viewOf(server)?.registry
      if (registry === undefined || open.has(server)) continue
      this.#earlier = {
        accepted: this.#earlier.accepted + registry.accepted,
        served: this.#earlier.served + registry.served
      }
    }
    this.#shown = this.#shown.filter((server) => open.has(server))
  }

  begins(): void {
    this.#over = Effect.unsafeMakeLatch(false)
    this.#begun.unsafeOpen()
  }

  /** The program may go on, and open others. */
  ends(): void {
    this.#over.unsafeOpen()
    this.#begun = Effect.unsafeMakeLatch(false)
  }
}
