/**
 * What a clock says, for measuring: epoch milliseconds as of when the process began to ask, and from then on the time
 * that has passed. The wall clock may jump (NTP, a machine that was suspended): a grace would be over at once, or last
 * for hours. On Effect 3 the nanoseconds of a clock do not jump; on Effect 4 they are those of the wall clock, and other
 * ones do not jump.
 */
import * as Clock from "effect/Clock"
import { machineMillis } from "../node/timers.js"

const system = Clock.make()
const epoch = Number(system.unsafeCurrentTimeNanos()) / 1_000_000 - machineMillis()

/** The same as of the nanoseconds: it is asked for several times a request, and those are a `BigInt`. */
const systemMillis = (): number => Math.floor(epoch + machineMillis())

export const monotonicMillis = (clock: Clock.Clock): () => number =>
  clock.unsafeCurrentTimeNanos === system.unsafeCurrentTimeNanos
    ? systemMillis
    : () => Number(clock.unsafeCurrentTimeNanos() / 1_000_000n)
