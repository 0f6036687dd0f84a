/**
 * What drains the servers of a program that knows nothing of it: those of this thread, and, in the main thread, what the
 * others have.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { Console } from "node:console"
import type * as Net from "node:net"
import { isMainThread } from "node:worker_threads"
import * as RealTime from "../effect/realTime.js"
import { InvalidPolicy } from "../model/errors.js"
import type { Policy } from "../model/policy.js"
import { resolve, type ResolvedPolicy } from "../policy/policy.js"
import { config } from "../policy/policyConfig.js"
import { logging } from "../promise/promiseLog.js"
import { Program } from "./program.js"
import { type Settings, settings as readSettings } from "./settings.js"
import { ThreadProgram } from "./threadProgram.js"
import type { Thread } from "./threads.js"

/** Programs replace what `console` has, to be quiet or to log elsewhere; this log is not theirs. */
const ownConsole = new Console({ stdout: process.stdout, stderr: process.stderr })

export interface Takeover {
  /** A server that listens. One that the program has given to this package itself is left alone. */
  readonly take: (server: Net.Server) => void
  /** A worker thread in which servers listen. */
  readonly join: (thread: Thread) => void
  /** Nothing has come of one that was expected. */
  readonly settle: () => void
}

/** Throws what is wrong with the environment. */
export const makeTakeover = (): Takeover => {
  assertOn()
  const { policy, resolved, settings } = environment()
  const runtime = Effect.runSync(Effect.provide(RealTime.runtime, logging(undefined, ownConsole)))
  return isMainThread ? new Program(policy, resolved, settings, runtime) : new ThreadProgram(policy, runtime)
}

/** That it is off has been looked at before this was loaded. */
const assertOn = (): void => {
  const value = process.env["QUIESCE"]?.trim() ?? ""
  if (/^(on|true|yes|1|)$/i.test(value)) return
  throw new InvalidPolicy({ field: "QUIESCE", value, expected: `"off", or "on", which is what it is when left out` })
}

interface Environment {
  readonly policy: Policy
  readonly resolved: ResolvedPolicy
  readonly settings: Settings
}

const environment = (): Environment => {
  // what the values are together is looked at when a server is made, and that is too late
  const all = Effect.gen(function*() {
    const policy = yield* config()
    return { policy, resolved: yield* resolve(policy), settings: yield* readSettings }
  })
  const exit = Effect.runSyncExit(all)
  if (Exit.isSuccess(exit)) return exit.value
  throw Cause.squash(exit.cause)
}
