import type * as Clock from "effect/Clock"

const epochs = new WeakMap<Clock.Clock, number>()

export const monotonicMillis = (clock: Clock.Clock): () => number => {
  const passed = () => Number(clock.monotonicTimeNanosUnsafe() / 1_000_000n)
  const epoch = epochs.get(clock) ?? clock.currentTimeMillisUnsafe() - passed()
  epochs.set(clock, epoch)
  return () => epoch + passed()
}
