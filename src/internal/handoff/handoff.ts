/**
 * A program that serves until a successor has taken over: what starts a hand-over, and what comes after one.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Runtime from "effect/Runtime"
import * as Scope from "effect/Scope"
import Cluster from "node:cluster"
import * as RealTime from "../effect/realTime.js"
import type { InvalidPolicy } from "../model/errors.js"
import type { Handoff, Options } from "../model/handoff.js"
import type { HandoffFailed } from "../model/handoffFailed.js"
import type { ListenError } from "../model/listener.js"
import { checkNames } from "../policy/optionNames.js"
import { duration } from "../policy/policy.js"
import { Program, ProgramService } from "../signals/program.js"
import * as ClusterWorker from "./clusterWorker.js"
import * as Conversation from "./conversation.js"
import { chosen, HandoffSignals, listen } from "./handoffSignals.js"
import { CurrentHandover, Handover } from "./handover.js"
import { withoutLameDuck } from "./predecessor.js"
import { begin } from "./takeover.js"
import { type Run, Upgrader } from "./upgrader.js"

const optionNames = Object.keys(
  { command: true, pidFile: true, signals: true, timeout: true } satisfies { readonly [K in keyof Options]-?: true }
)

/** What the options say, looked at before anything is touched. */
export const settingsOf = (options: Options) =>
  Effect.gen(function*() {
    yield* checkNames("options", options, optionNames)
    const signals = yield* chosen(options.signals)
    const timeout = yield* duration("timeout", options.timeout ?? "1 minute")
    return { signals, timeout }
  })

/** `accepts` is called when this process does, which for a successor is when its predecessor has let go. */
export const launch = (options: Options, tag: typeof Handoff, accepts: () => void = () => {}) =>
<A, E, R>(
  layer: Layer.Layer<A, E, R>
): Effect.Effect<void, E | HandoffFailed | InvalidPolicy | ListenError, Exclude<R, Handoff>> =>
  Effect.gen(function*() {
    const { signals, timeout } = yield* settingsOf(options)
    const predecessor = yield* Conversation.inherited
    const runtime = yield* RealTime.runtime
    const run: Run = (effect) => Runtime.runFork(runtime)(Effect.interruptible(effect))
    const around = yield* Program
    const program = around ?? new ProgramService((effect) => void run(effect))
    if (around !== undefined) around.run = (effect) => void run(effect)
    const handover = new Handover(predecessor?.listeners)
    const upgrader = new Upgrader(handover, options.command ?? ownCommand(), timeout, run)
    const outer = yield* Effect.scope

    const role = () =>
      Cluster.isWorker ? "worker" : upgrader.isStarting && predecessor !== undefined ? "successor" : "predecessor"
    yield* ClusterWorker.obey({ isStopping: () => upgrader.isEnding, handlesSignals: around !== undefined, program })
    const onSignal = new HandoffSignals(upgrader, predecessor !== undefined, (effect) =>
      void run(Effect.annotateLogs(
        Effect.suspend(() => effect),
        "role",
        role()
      )))
    yield* listen(signals, (signal) => onSignal.heard(signal))

    yield* Effect.gen(function*() {
      yield* Effect.addFinalizer(() => handover.closeUnclaimed)
      yield* Layer.build(layer).pipe(
        Effect.provideService(tag, { upgrade: upgrader.upgrade }),
        Effect.provideService(CurrentHandover, handover),
        Effect.provideService(Program, program)
      )
      // a hook whose scope closes before its server shuts down is taken back
      yield* Effect.forEach(Array.from(program.servers.keys()), ClusterWorker.lastAnswer, { discard: true }).pipe(
        Scope.extend(outer)
      )
      yield* Effect.uninterruptibleMask((restore) => begin(restore, handover, predecessor, options.pidFile))
      accepts()
      yield* ClusterWorker.sayReady(program)
      yield* upgrader.serve(outer)
      onSignal.serves()
      yield* upgrader.handedOver
      yield* Effect.forkIn(withoutLameDuck(program), outer)
    }).pipe(Effect.scoped)
  }).pipe(
    Effect.scoped,
    // its predecessor, its successor and other workers write to the same log
    Effect.annotateLogs({ pid: process.pid, ...(Cluster.isWorker ? { role: "worker" } : undefined) })
  )

const ownCommand = (): ReadonlyArray<string> => [process.execPath, ...process.execArgv, ...process.argv.slice(1)]
