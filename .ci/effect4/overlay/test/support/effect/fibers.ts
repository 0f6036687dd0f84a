import * as Effect from "effect/Effect"
import * as Metric from "effect/Metric"

export class FiberCount {
  started = 0
  running = 0

  readonly under = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
    Effect.provideService(effect, Metric.FiberRuntimeMetrics, {
      recordFiberStart: () => {
        this.started++
        this.running++
      },
      recordFiberEnd: () => {
        this.running--
      }
    })
}

export const fiberClass = "FiberImpl"
