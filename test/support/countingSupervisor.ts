import * as Effect from "effect/Effect"
import * as Supervisor from "effect/Supervisor"

/** Counts the fibers that start under it. */
export class CountingSupervisor extends Supervisor.AbstractSupervisor<number> {
  started = 0
  override readonly value = Effect.sync(() => this.started)
  override onStart(): void {
    this.started++
  }
}
