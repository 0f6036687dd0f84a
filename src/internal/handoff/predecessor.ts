/**
 * The predecessor's part of a hand-over: a successor is started, waited for, and let go on.
 */
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { monotonicMillis } from "../effect/clock.js"
import * as RealTime from "../effect/realTime.js"
import * as Line from "../log/line.js"
import type { Successor } from "../model/handoff.js"
import { HandoffFailed, notServing } from "../model/handoffFailed.js"
import { descriptorOf } from "../node/internals.js"
import type { ProgramService } from "../signals/program.js"
import type { Handover, Held, Inherited } from "./handover.js"
import { socketAt } from "./message.js"
import * as Conversation from "./successor.js"

/** How long a successor that is not wanted may take to end before it is killed. */
export const killMillis = 1000

/** It has inherited them. */
const itsOwnLines = "why is in what it has written to the standard output and error of this process"

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
      const clock = yield* Effect.clock
      const now = monotonicMillis(clock)
      const until = now() + timeout
      const expect = (word: string, what: string) =>
        Effect.suspend(() =>
          Effect.raceFirst(
            Effect.interruptible(successor.next),
            Effect.interruptible(RealTime.sleep(Math.max(0, until - now())))
          )
        ).pipe(
          Effect.flatMap((heard) => {
            const failed = (reason: HandoffFailed["reason"], explanation: string, cause?: unknown) =>
              new HandoffFailed({ reason, explanation, cause })
            if (heard === undefined) {
              return failed(
                "TimedOut",
                `Process ${String(successor.pid)} did not ${what} within ${timeout} ms; ${itsOwnLines}`
              )
            }
            switch (heard._tag) {
              case "NotStarted":
                return failed("NotStarted", `Cannot start ${JSON.stringify(command.join(" "))}`, heard.cause)
              case "Ended":
                return failed(
                  "Ended",
                  `Process ${String(successor.pid)} ended before it accepted, with ${heard.how}; ${itsOwnLines}`
                )
              case "Word":
                return heard.word === word
                  ? Effect.void
                  : failed("Ended", `Process ${String(successor.pid)} said what only another version understands`)
            }
          })
        )
      yield* Effect.gen(function*() {
        yield* restore(expect("ready", "become ready"))
        // it has inherited what this process has closed by now
        if (!isServing() || held.some(({ server }) => !server.listening)) return yield* notServing
        successor.say("go")
        yield* expect("listening", "accept")
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
    Array.from(servers.keys()),
    (server) =>
      server.phase.changes.pipe(
        Stream.filter((phase) => phase === "LameDuck"),
        Stream.runForEach(() => server.drainNow)
      ),
    { concurrency: "unbounded", discard: true }
  )
