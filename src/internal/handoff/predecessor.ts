/**
 * The predecessor's part of a hand-over: a successor is started, waited for, and let go on.
 */
import * as Effect from "effect/Effect"
import { monotonicMillis } from "../effect/clock.js"
import * as RealTime from "../effect/realTime.js"
import * as Line from "../log/line.js"
import type { Successor } from "../model/handoff.js"
import { HandoffFailed, notServing } from "../model/handoffFailed.js"
import { descriptorOf } from "../node/internals.js"
import type { ProgramServer, ProgramService } from "../signals/program.js"
import * as Conversation from "./conversation.js"
import type { Handover, Held, Inherited } from "./handover.js"
import { socketAt } from "./message.js"

/** How long a successor that is not wanted may take to end before it is killed. */
export const killMillis = 1000

/** Interruptible until the successor is let go on; then bounded by its time. */
export const handOver = (
  handover: Handover,
  command: ReadonlyArray<string>,
  timeout: number,
  isServing: () => boolean
): Effect.Effect<Successor, HandoffFailed> =>
  Effect.uninterruptibleMask((restore) =>
    Effect.gen(function*() {
      const { held } = handover
      const listeners = yield* described(held)
      handover.isOffered = true
      const successor = Conversation.start(command, listeners)
      const expected = new ExpectedWords(successor, timeout, monotonicMillis(yield* Effect.clock))
      yield* Effect.gen(function*() {
        yield* restore(expected.hear("ready", "become ready"))
        // it has inherited what this process has closed by now
        if (!isServing() || held.some(({ server }) => !server.listening)) return yield* notServing
        successor.say("go")
        yield* expected.hear("listening", "accept")
      }).pipe(
        Effect.onError(() =>
          Effect.zipRight(
            stop(successor),
            Effect.sync(() => {
              handover.isOffered = false
            })
          )
        )
      )
      handover.give()
      successor.leave()
      const pid = successor.pid ?? 0
      yield* Line.info(`Process ${pid} accepts from now on; this one shuts down`)
      return { pid }
    })
  )

/** What a successor has to say, all of it within one time. */
class ExpectedWords {
  readonly #successor: Conversation.Successor
  readonly #timeout: number
  readonly #now: () => number
  readonly #until: number

  constructor(successor: Conversation.Successor, timeout: number, now: () => number) {
    this.#successor = successor
    this.#timeout = timeout
    this.#now = now
    this.#until = now() + timeout
  }

  /** Waits for a word; `what` is what the successor does by saying it. */
  hear(word: string, what: string): Effect.Effect<void, HandoffFailed> {
    return Effect.suspend(() =>
      Effect.raceFirst(
        Effect.interruptible(this.#successor.next),
        Effect.interruptible(Effect.as(RealTime.sleep(Math.max(0, this.#until - this.#now())), timedOut))
      )
    ).pipe(
      Effect.flatMap((heard) => heard._tag === "Word" && heard.word === word ? Effect.void : this.#failed(heard, what))
    )
  }

  #failed(heard: Conversation.Heard | typeof timedOut, what: string): HandoffFailed {
    const { command, pid } = this.#successor
    const who = `Process ${String(pid)}`
    const failed = (reason: HandoffFailed["reason"], explanation: string, cause?: unknown) =>
      new HandoffFailed({ reason, explanation, cause })
    switch (heard._tag) {
      case "TimedOut":
        return failed("TimedOut", `${who} did not ${what} within ${this.#timeout} ms; ${itsOwnLines}`)
      case "NotStarted":
        return failed("NotStarted", `Cannot start ${JSON.stringify(command.join(" "))}`, heard.cause)
      case "Ended":
        return failed("Ended", `${who} ended before it accepted, with ${heard.how}; ${itsOwnLines}`)
      case "Word":
        return failed("Ended", `${who} said what only another version understands`)
    }
  }
}

const timedOut = { _tag: "TimedOut" } as const

/** It has inherited them. */
const itsOwnLines = "why is in what it has written to the standard output and error of this process"

const described = (held: ReadonlyArray<Held>): Effect.Effect<ReadonlyArray<Inherited>, HandoffFailed> =>
  held.length === 0
    ? new HandoffFailed({
      reason: "NoListener",
      explanation: "The program does not listen: there is nothing to hand over"
    })
    : Effect.forEach(held, ({ address, file, name, server }) => {
      const fd = descriptorOf(server)
      return fd === undefined
        ? new HandoffFailed({
          reason: "NoDescriptor",
          explanation: `The listener ${JSON.stringify(name)} has no descriptor that Node tells of. `
            + `In a worker of node:cluster it is the primary's.`
        })
        : Effect.succeed({ address, file, name, fd, socket: socketAt(fd) })
    })

/** It has accepted nothing. */
const stop = (successor: Conversation.Successor): Effect.Effect<void> =>
  Effect.suspend(() => {
    successor.say("no")
    successor.signal("SIGTERM")
    return Effect.raceFirst(
      Effect.interruptible(successor.ended),
      Effect.interruptible(Effect.zipRight(
        RealTime.sleep(killMillis),
        Effect.suspend(() => {
          successor.signal("SIGKILL")
          return Line.warning(
            `Process ${String(successor.pid)} did not end within ${killMillis} ms of SIGTERM, and is killed`
          )
        })
      ))
    ).pipe(Effect.zipRight(Effect.sync(successor.leave)))
  })

/** The successor accepts already: no load balancer needs to be told. */
export const withoutLameDuck = ({ servers }: ProgramService): Effect.Effect<void> =>
  Effect.forEach(
    Array.from(servers),
    ([{ drainNow }, server]) => Effect.flatMap(hasLameDuck(server), (has) => has ? drainNow : Effect.void),
    { concurrency: "unbounded", discard: true }
  )

/** Suspends until it is one, or has closed without. */
const hasLameDuck = ({ follow }: ProgramServer): Effect.Effect<boolean> =>
  Effect.async<boolean>((resume) => {
    const leave = follow((phase) => {
      if (phase === "LameDuck" || phase === "Closed") resume(Effect.succeed(phase === "LameDuck"))
    })
    return Effect.sync(() => leave())
  })
