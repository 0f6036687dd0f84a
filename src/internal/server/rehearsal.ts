/**
 * A shutdown runs once in the life of a process, and what runs for the first time takes several times as long: Node
 * compiles each function as it is called. So another one is played to its end, of a server that has no connections and
 * says nothing: soon after the start, when no request is being answered, or else while a drain waits.
 */
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import type * as Scope from "effect/Scope"
import type { ConnectionRegistry } from "../core/connectionRegistry.js"
import { Background } from "../drain/background.js"
import { drain } from "../drain/drain.js"
import { Hooks } from "../drain/hooks.js"
import { RequestFibers } from "../drain/requestFibers.js"
import { TimedLatch } from "../drain/timedLatch.js"
import { runApart } from "../effect/fibers.js"
import { withLoggers } from "../effect/logs.js"
import { clearInterval, setInterval, setTimeout } from "../node/timers.js"
import { pollSchedule } from "../policy/defaults.js"
import type { ResolvedPolicy } from "../policy/policy.js"
import { withShutdownLog } from "../telemetry/log.js"
import { Telemetry, type WatchedServer } from "../telemetry/telemetry.js"

/** What it waits for takes as long, in milliseconds. */
const work = 2

/** So long after the start, and so often after that, it is looked whether nothing is to be done, in milliseconds. */
const restMillis = 500

type Run = (effect: Effect.Effect<unknown>) => Fiber.RuntimeFiber<unknown, unknown>

/** It is played once, when none of the servers has a request. */
export interface Stage {
  isPlayed: boolean
  readonly servers: Set<ConnectionRegistry>
  readonly run: Run
}

const ofProcess: Stage = { isPlayed: false, servers: new Set(), run: runApart }

export interface Rehearsal {
  /** Plays it, the first time in a process. */
  readonly play: () => void
  /** Plays it when the process has started, and no connection of a server has a request; this one is one of those. */
  readonly playWhenIdle: (registry: ConnectionRegistry) => Effect.Effect<void, never, Scope.Scope>
}

/** `registry` makes the registry of a server that wakes its drain so. */
export const make = (
  policy: ResolvedPolicy,
  registry: (wake: () => void) => ConnectionRegistry,
  stage: Stage = ofProcess
): Rehearsal => {
  const play = () => {
    if (stage.isPlayed) return
    stage.isPlayed = true
    stage.run(rehearsal(policy, registry, stage.run))
  }
  const playWhenIdle = (own: ConnectionRegistry) => {
    if (stage.isPlayed) return Effect.void
    stage.servers.add(own)
    const look = () => {
      if (Array.from(stage.servers).every(isIdle)) play()
      if (stage.isPlayed || own.lifecycle.isStopping) leave()
    }
    const timer = setInterval(look, restMillis).unref()
    const leave = () => {
      clearInterval(timer)
      stage.servers.delete(own)
    }
    return Effect.addFinalizer(() => Effect.sync(leave))
  }
  return { play, playWhenIdle }
}

/** Where the time is not Node's, what is played would not end by itself. */
export const none: Rehearsal = { play: () => {}, playWhenIdle: () => Effect.void }

const isIdle = ({ connections, lifecycle }: ConnectionRegistry): boolean => {
  if (lifecycle.isStopping) return false
  for (const { exchanges } of connections) {
    if (exchanges.size > 0) return false
  }
  return true
}

const rehearsal = (
  policy: ResolvedPolicy,
  registryOf: (wake: () => void) => ConnectionRegistry,
  run: Run
): Effect.Effect<unknown> => {
  const woken = new TimedLatch()
  const bounded = new TimedLatch()
  const wake = () => woken.open()
  const registry = registryOf(wake)
  const { now } = registry
  const background = new Background(now, wake, () => {})
  const server: WatchedServer = {
    policy: { ...policy, lameDuck: 0, pollSchedule },
    registry,
    handlers: new RequestFibers(registry, run, wake),
    hooks: new Hooks(now, 0, run, () => {}),
    background,
    listeners: new Set(),
    telemetry: new Telemetry(true),
    observer: { step: () => (effect) => effect, deadlineExceeded: () => Effect.void },
    rejectPending: () => {},
    enter: () => Effect.void,
    begunToWait: () => {},
    woken,
    lameDuckOver: new TimedLatch(),
    closeCalled: new TimedLatch(),
    bounded,
    boundedSince: now,
    hasApp: () => true,
    lameDuck: () => 0
  }
  registry.advance({ to: "Stopping" })
  bounded.open()
  background.expect()
  const task = background.add("rehearsal", () => {})
  setTimeout(() => task?.end({ _tag: "Completed" }), work)
  return drain(server).pipe(withShutdownLog(server), withLoggers([]))
}
