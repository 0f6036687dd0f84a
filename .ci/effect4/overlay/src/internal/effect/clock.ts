import * as Clock from "effect/Clock"
import { machineMillis } from "../node/timers.js"

const system = Clock.Clock.defaultValue()
const epoch = system.currentTimeMillisUnsafe() - machineMillis()
const systemMillis = (): number => Math.floor(epoch + machineMillis())

const epochs = new WeakMap<Clock.Clock, number>()

export const monotonicMillis = (clock: Clock.Clock): () => number => {
  if (clock.monotonicTimeNanosUnsafe === system.monotonicTimeNanosUnsafe) return systemMillis
  const passed = () => Number(clock.monotonicTimeNanosUnsafe() / 1_000_000n)
  const since = epochs.get(clock) ?? clock.currentTimeMillisUnsafe() - passed()
  epochs.set(clock, since)
  return () => since + passed()
}
