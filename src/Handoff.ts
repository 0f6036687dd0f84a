/**
 * A restart on one machine that no client notices: the listening sockets are handed to a successor, which accepts while
 * this process drains.
 *
 * ```ts
 * import { HttpRouter, HttpServer, HttpServerResponse } from "@effect/platform"
 * import { NodeRuntime } from "@effect/platform-node"
 * import { Layer } from "effect"
 * import { Handoff, NodeHttpServer } from "quiesce"
 * import { createServer } from "node:http"
 *
 * HttpRouter.empty.pipe(
 *   HttpRouter.get("/", HttpServerResponse.text("hello")),
 *   HttpServer.serve(),
 *   Layer.provide(NodeHttpServer.layer(() => createServer(), { port: 3000 })),
 *   Handoff.launch(),
 *   NodeRuntime.runMain
 * )
 * ```
 *
 * `Handoff.launch()` stands where `Layer.launch` stood. On SIGUSR2 or SIGHUP, or when {@link upgrade} is run:
 *
 * ```text
 * this process                      its successor: the same command, the files as they are now
 * ├─ serves                         starts, and builds the layer; a listener gets the inherited socket, and waits
 * ├─ serves                         the layer is built: it says that it is ready
 * ├─ lets go, and still serves      accepts
 * ├─ closes its listeners, drains   serves
 * └─ ends, with exit code 0         serves
 * ```
 *
 * The same program text does for both. A listener is known by what the program asks for (`host` and `port`, `path` or
 * `fd`), and all that `NodeHttpServer`, `NodeSocketServer`, `Admin` and `ServerService.listen` open are handed over: TCP
 * and Unix sockets. One that only the successor has is bound by it; one that it has no more is closed. What has not been
 * accepted yet stays in the sockets' queue, which both share, and so nothing is refused and nothing reset.
 *
 * A successor that fails to start, ends, or does not say that it is ready within `timeout` has accepted nothing. It is
 * stopped (SIGTERM, and SIGKILL a second later), {@link HandoffFailed} says why, and this process serves on. A
 * shutdown that begins before the successor is ready stops it, too. If this process dies meanwhile, the successor takes
 * over when it is ready.
 *
 * **What becomes of the PID**
 *
 * It changes, and whoever started the first process sees it end.
 *
 * - systemd: `Type=forking` with `PIDFile=`, and the same path as `pidFile` here; `ExecReload=kill -USR2 $MAINPID`. With
 *   `Type=simple` or `exec`, systemd takes the end of the first process for the end of the service, and stops its
 *   successor.
 * - PM2, forever, npm, nodemon and their like start the program again when the first process ends, next to its
 *   successor, and find the port taken. Use their own reload.
 * - Containers: they end with their first process. Replace the container, or run {@link launchWorkers} in it.
 *
 * **Gotchas**
 *
 * - Whatever the program opens besides its listeners is there twice for a while: what can be had once only (a lock, a
 *   port that this library does not listen on) makes the successor fail to start.
 * - While a layer is built, a request to the program's own address is answered by its predecessor.
 * - A Node server that was adopted (`ServerService.adopt`) is not handed over: listen with it instead.
 * - The command is `node` with its flags, and the program with its arguments, as this process was started. Where releases
 *   are directories behind a symbolic link, start the program by an absolute path through the link.
 * - These signals end a process that still loads its modules, as they always did; `pidFile` names one that serves.
 * - SIGHUP is left alone where standard input is a terminal: it says that the terminal is gone.
 * - A worker of `node:cluster` has no descriptor to hand over, nor has a process on Windows. Workers are replaced one by
 *   one instead: {@link launchWorkers}.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Data from "effect/Data"
import * as Deferred from "effect/Deferred"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Runtime from "effect/Runtime"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as Fs from "node:fs"
import * as Workers from "./internal/cluster.js"
import { CurrentHandover, descriptorOf, Handover, type Held, type Inherited } from "./internal/handover.js"
import { steady } from "./internal/now.js"
import { duration } from "./internal/policy.js"
import { makeProgram, Program, type ProgramService } from "./internal/program.js"
import { invalid, isKnown } from "./internal/signals.js"
import * as Conversation from "./internal/successor.js"
import type { ListenError } from "./Listener.js"
import type { InvalidPolicy } from "./Shutdown.js"

/**
 * What starts a hand-over, and how long it may take.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options {
  /** Default: SIGUSR2, and SIGHUP unless standard input is a terminal. */
  readonly signals?: ReadonlyArray<NodeJS.Signals> | undefined
  /** How long a successor may take to be ready and to accept. Default: 1 minute. */
  readonly timeout?: Duration.DurationInput | undefined
  /** Holds the PID of the process that serves, and is removed by the last one. */
  readonly pidFile?: string | undefined
  /** What to start, and its arguments. Default: the command that has started this process. */
  readonly command?: readonly [file: string, ...args: ReadonlyArray<string>] | undefined
}

/**
 * The process that accepts from now on.
 *
 * @since 0.1.0
 * @category models
 */
export interface Successor {
  readonly pid: number
}

/**
 * What a program that was started with {@link launch} can do.
 *
 * @since 0.1.0
 * @category models
 */
export interface HandoffService {
  /**
   * Starts a successor, hands the listening sockets over when it is ready, and begins to shut down: all callers at one
   * time share one hand-over, and one that is interrupted does not stop it. Succeeds when the successor accepts. If it
   * fails, this process serves on, and it may be tried again.
   */
  readonly upgrade: Effect.Effect<Successor, HandoffFailed>
}

/**
 * The way to hand over from inside of a program that was started with {@link launch}.
 *
 * @since 0.1.0
 * @category tags
 */
export class Handoff extends Context.Tag("quiesce/Handoff")<Handoff, HandoffService>() {}

/**
 * The sockets were not handed over, and this process serves on.
 *
 * - `NotServing`: the program has not started yet, or shuts down
 * - `NoListener`: there is nothing to hand over
 * - `NoDescriptor`: a listener's descriptor cannot be had
 * - `NotStarted`: the command could not be run
 * - `Ended`: the successor ended before it accepted
 * - `TimedOut`: it was not ready, or did not accept, in time
 * - `TooLate`: this process is the successor, and its predecessor does not wait for it any more
 * - `PidFile`: the file cannot be written
 *
 * **Example**
 *
 * ```ts
 * import { Effect } from "effect"
 * import { Handoff } from "quiesce"
 *
 * const deploy = Handoff.upgrade.pipe(
 *   Effect.tap(({ pid }) => Effect.log(`process ${pid} accepts now`)),
 *   Effect.catchTag("HandoffFailed", (error) => Effect.logError(`${error.reason}: ${error.message}`))
 * )
 * ```
 *
 * @since 0.1.0
 * @category errors
 */
export class HandoffFailed extends Data.TaggedError("HandoffFailed")<{
  readonly reason:
    | "NotServing"
    | "NoListener"
    | "NoDescriptor"
    | "NotStarted"
    | "Ended"
    | "TimedOut"
    | "TooLate"
    | "PidFile"
  readonly explanation: string
  readonly cause?: unknown
}> {
  override get message(): string {
    return this.explanation
  }
}

/**
 * Hands over as a signal does: see {@link HandoffService}. From inside a handler it may be awaited: the answer is sent
 * while this process drains.
 *
 * **Example**
 *
 * ```ts
 * import { HttpServerResponse } from "@effect/platform"
 * import { Effect } from "effect"
 * import { Handoff } from "quiesce"
 *
 * // an endpoint for the deployment script
 * const handler = Effect.map(Handoff.upgrade, ({ pid }) => HttpServerResponse.text(`process ${pid} accepts now\n`))
 * ```
 *
 * @since 0.1.0
 * @category combinators
 */
export const upgrade: Effect.Effect<Successor, HandoffFailed, Handoff> = Effect.flatMap(
  Handoff,
  (handoff) => handoff.upgrade
)

/** How long a successor that is not wanted may take to end before it is killed. */
const killMillis = 1000

type State = "Starting" | "Serving" | "Ending"

/**
 * Runs a layer, as `Layer.launch` does, until it is interrupted or a successor has taken over; then its scope closes,
 * which drains its servers, without a lame duck if there is a successor. See the head of this module.
 *
 * **Example**
 *
 * ```ts
 * import { HttpServer, HttpServerResponse } from "@effect/platform"
 * import { NodeRuntime } from "@effect/platform-node"
 * import { Layer } from "effect"
 * import { Handoff, NodeHttpServer, Signals } from "quiesce"
 * import { createServer } from "node:http"
 *
 * HttpServer.serve(HttpServerResponse.text("hello")).pipe(
 *   Layer.provide(NodeHttpServer.layer(() => createServer(), { path: "/run/app/http.sock" })),
 *   Handoff.launch({ signals: ["SIGHUP"], timeout: "20 seconds", pidFile: "/run/app/pid" }),
 *   Signals.handle(),
 *   NodeRuntime.runMain({ teardown: Signals.teardown })
 * )
 * ```
 *
 * @since 0.1.0
 * @category execution
 */
export const launch = (options: Options = {}) =>
<A, E, R>(
  layer: Layer.Layer<A, E, R>
): Effect.Effect<void, E | HandoffFailed | InvalidPolicy | ListenError, Exclude<R, Handoff>> =>
  Effect.gen(function*() {
    const signals = options.signals ?? defaultSignals()
    const problem = invalid(signals, `a list of signals that a process can listen for, such as ["SIGHUP"]`)
    if (problem !== undefined) return yield* problem
    const timeout = yield* duration("timeout", options.timeout ?? "1 minute")
    const predecessor = Conversation.inherited()
    const runtime = yield* Effect.runtime<never>()
    const run = <B, F>(effect: Effect.Effect<B, F>): Fiber.RuntimeFiber<B, F> =>
      Runtime.runFork(runtime)(Effect.interruptible(effect))
    const program = (yield* Program) ?? makeProgram((effect) => void run(effect))
    const handover = new Handover(predecessor?.listeners)
    const handedOver = yield* Deferred.make<void>()
    const outer = yield* Effect.scope

    let state: State = "Starting"
    let running: Fiber.RuntimeFiber<Successor, HandoffFailed> | undefined
    const attempt = handOver(handover, options.command ?? ownCommand(), timeout, () => state === "Serving").pipe(
      Effect.tap(() => {
        state = "Ending"
        return Deferred.succeed(handedOver, undefined)
      }),
      Effect.ensuring(Effect.sync(() => {
        running = undefined
      }))
    )
    const service: HandoffService = {
      upgrade: Effect.suspend(() => {
        if (state !== "Serving") return notServing
        running ??= run(Effect.zipRight(Effect.yieldNow(), attempt))
        return Effect.flatMap(Fiber.await(running), (exit) => Exit.isInterrupted(exit) ? notServing : exit)
      })
    }

    yield* listen(signals, (signal) => {
      if (running !== undefined) return
      run(
        Effect.logInfo(`${signal}: handing over to a successor`).pipe(
          Effect.zipRight(service.upgrade),
          Effect.catchAll(({ cause, message }) =>
            Effect.logError(
              `Not handed over, this process goes on as before: ${message}`,
              ...(cause === undefined ? [] : [cause])
            )
          )
        )
      )
    })

    yield* Effect.gen(function*() {
      yield* Effect.addFinalizer(() => handover.closeUnclaimed)
      yield* Layer.build(layer).pipe(
        Effect.provideService(Handoff, service),
        Effect.provideService(CurrentHandover, handover),
        Effect.provideService(Program, program)
      )
      // a hook whose scope closes before its server shuts down is taken back
      yield* Effect.forEach(Array.from(program.servers), Workers.lastAnswer, { discard: true }).pipe(
        Scope.extend(outer)
      )
      yield* Effect.uninterruptibleMask((restore) => begin(restore, handover, predecessor, options.pidFile))
      yield* Workers.sayReady
      yield* Effect.acquireRelease(
        Effect.sync(() => {
          state = "Serving"
        }),
        () =>
          Effect.suspend(() => {
            state = "Ending"
            // the drain does not wait for a successor that is stopped
            return running === undefined
              ? Effect.void
              : Effect.forkIn(Effect.uninterruptible(Fiber.interrupt(running)), outer)
          })
      )
      yield* Deferred.await(handedOver)
      yield* Effect.forkIn(withoutLameDuck(program), outer)
    }).pipe(Effect.scoped)
  }).pipe(Effect.scoped)

/**
 * How many workers, and what replaces them.
 *
 * @since 0.1.0
 * @category models
 */
export interface WorkersOptions {
  readonly workers: number
  /** What replaces the workers one by one. Default: SIGUSR2, and SIGHUP unless standard input is a terminal. */
  readonly signals?: ReadonlyArray<NodeJS.Signals> | undefined
  /** How long a worker may take to be ready. Default: 1 minute. */
  readonly timeout?: Duration.DurationInput | undefined
}

/**
 * In the primary of `node:cluster`: runs workers until it is interrupted, which stops them with SIGTERM and waits for
 * their ends. A signal replaces them one by one: a new one starts, and when it is ready, an old one gets SIGTERM, and
 * its end is waited for. One that does not become ready is stopped, and the others stay. One that ends by itself is
 * replaced a second later. Fails if one of the first does not become ready.
 *
 * Each worker runs {@link launch}: it tells when it is ready, and before it ends waits for the primary's word that no
 * connection is on its way to it. The PID of the primary does not change, which suits containers and `Type=exec`; to
 * change its own program, it must be restarted.
 *
 * **Example**
 *
 * ```ts
 * import { HttpServer, HttpServerResponse } from "@effect/platform"
 * import { NodeRuntime } from "@effect/platform-node"
 * import { Effect, Layer } from "effect"
 * import { Handoff, NodeHttpServer } from "quiesce"
 * import cluster from "node:cluster"
 * import { createServer } from "node:http"
 *
 * const worker = HttpServer.serve(HttpServerResponse.text("hello")).pipe(
 *   Layer.provide(NodeHttpServer.layer(() => createServer(), { port: 3000 })),
 *   Handoff.launch()
 * )
 *
 * const program: Effect.Effect<void, unknown> = cluster.isPrimary ? Handoff.launchWorkers({ workers: 4 }) : worker
 *
 * NodeRuntime.runMain(program)
 * ```
 *
 * @since 0.1.0
 * @category execution
 */
export const launchWorkers = (options: WorkersOptions): Effect.Effect<never, HandoffFailed | InvalidPolicy> =>
  Effect.gen(function*() {
    const signals = options.signals ?? defaultSignals()
    const problem = invalid(signals, `a list of signals that a process can listen for, such as ["SIGHUP"]`)
    if (problem !== undefined) return yield* problem
    const timeout = yield* duration("timeout", options.timeout ?? "1 minute")
    const runtime = yield* Effect.runtime<never>()
    const all = new Set<Workers.Worker>()
    const leaving = new Set<Workers.Worker>()
    yield* Effect.addFinalizer(() =>
      Effect.forEach(all, (worker) => {
        worker.signal("SIGTERM")
        return worker.ended
      }, { concurrency: "unbounded", discard: true })
    )
    const scope = yield* Effect.scope
    const add: Effect.Effect<void, HandoffFailed> = Effect.uninterruptibleMask((restore) =>
      Effect.gen(function*() {
        const worker = Workers.fork()
        all.add(worker)
        const ended = Effect.tap(worker.ended, () => Effect.sync(() => all.delete(worker)))
        yield* restore(Effect.raceFirst(
          Effect.interruptible(worker.ready),
          Effect.raceFirst(
            Effect.interruptible(Effect.flatMap(ended, (how) =>
              new HandoffFailed({
                reason: "Ended",
                explanation: `Worker ${worker.pid} ended before it was ready, with ${how}`
              }))),
            Effect.interruptible(Effect.zipRight(
              Effect.sleep(timeout),
              new HandoffFailed({
                reason: "TimedOut",
                explanation: `Worker ${worker.pid} did not become ready within ${timeout} ms`
              })
            ))
          )
        )).pipe(Effect.onError(() => {
          worker.signal("SIGTERM")
          return Effect.raceFirst(
            Effect.interruptible(Effect.asVoid(ended)),
            Effect.interruptible(Effect.zipRight(
              Effect.sleep(killMillis),
              Effect.sync(() => worker.signal("SIGKILL"))
            ))
          )
        }))
        yield* ended.pipe(
          Effect.flatMap((how) =>
            leaving.delete(worker) ? Effect.void : Effect.logWarning(`Worker ${worker.pid} ended, with ${how}`).pipe(
              Effect.zipRight(Effect.sleep("1 second")),
              Effect.zipRight(Effect.catchAll(add, (error) => Effect.logError(error.message))),
              Effect.asVoid
            )
          ),
          Effect.interruptible,
          Effect.forkIn(scope)
        )
      })
    )
    const roll = Effect.suspend(() =>
      Effect.forEach(Array.from(all), (old) =>
        Effect.zipRight(
          add,
          Effect.suspend(() => {
            leaving.add(old)
            old.signal("SIGTERM")
            return old.ended
          })
        ), { discard: true })
    ).pipe(
      Effect.zipRight(Effect.logInfo("Every worker has been replaced")),
      Effect.catchAll(({ message }) => Effect.logError(`Not replaced, the other workers go on as before: ${message}`))
    )
    yield* Effect.forEach(Array.from({ length: options.workers }), () => add, { discard: true })
    yield* Effect.logInfo(`${options.workers} workers serve`)
    let rolling: Fiber.RuntimeFiber<void> | undefined
    yield* Effect.addFinalizer(() => rolling === undefined ? Effect.void : Fiber.interrupt(rolling))
    yield* listen(signals, (signal) => {
      if (rolling !== undefined) return
      rolling = Runtime.runFork(runtime)(
        Effect.yieldNow().pipe(
          Effect.zipRight(Effect.logInfo(`${signal}: replacing the workers one by one`)),
          Effect.zipRight(roll),
          Effect.ensuring(Effect.sync(() => {
            rolling = undefined
          })),
          Effect.interruptible
        )
      )
    })
    return yield* Effect.never
  }).pipe(Effect.scoped)

const defaultSignals = (): ReadonlyArray<NodeJS.Signals> =>
  (process.stdin.isTTY ? ["SIGUSR2"] as const : ["SIGUSR2", "SIGHUP"] as const).filter(isKnown)

const ownCommand = (): ReadonlyArray<string> => [process.execPath, ...process.execArgv, ...process.argv.slice(1)]

const notServing = new HandoffFailed({
  reason: "NotServing",
  explanation: "The program has not started yet, or it shuts down: it has nothing to hand over"
})

const listen = (signals: ReadonlyArray<NodeJS.Signals>, heard: (signal: NodeJS.Signals) => void) =>
  Effect.acquireRelease(
    Effect.sync(() => {
      for (const signal of signals) process.on(signal, heard)
    }),
    () =>
      Effect.sync(() => {
        for (const signal of signals) process.off(signal, heard)
      })
  )

/** Waits for the predecessor to let go, accepts, and says so. */
const begin = Effect.fnUntraced(function*(
  restore: <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>,
  handover: Handover,
  predecessor: Conversation.Predecessor | undefined,
  pidFile: string | undefined
) {
  if (predecessor !== undefined && !(yield* restore(predecessor.ready))) {
    return yield* new HandoffFailed({
      reason: "TooLate",
      explanation: `Process ${predecessor.pid} does not wait for its successor any more`
    })
  }
  yield* handover.open
  if (pidFile !== undefined) yield* holdPidFile(pidFile, handover)
  if (predecessor === undefined) return
  yield* predecessor.listening
  yield* Effect.logInfo(`Took over from process ${predecessor.pid}`)
})

const holdPidFile = (path: string, handover: Handover) =>
  Effect.acquireRelease(
    Effect.try({
      try: () => {
        const whole = `${path}.${process.pid}`
        Fs.writeFileSync(whole, `${process.pid}\n`)
        Fs.renameSync(whole, path)
      },
      catch: (cause) =>
        new HandoffFailed({
          reason: "PidFile",
          explanation: `Cannot write the PID to ${
            JSON.stringify(path)
          }. Choose a directory that this user may write to.`,
          cause
        })
    }),
    () => Effect.sync(() => {
      if (!handover.given) Fs.rmSync(path, { force: true })
    })
  )

/** Interruptible until the successor is let go on; then bounded by its time. */
const handOver = (
  handover: Handover,
  command: ReadonlyArray<string>,
  timeout: number,
  isServing: () => boolean
): Effect.Effect<Successor, HandoffFailed> =>
  Effect.uninterruptibleMask((restore) =>
    Effect.gen(function*() {
      const { held } = handover
      const listeners = yield* described(held)
      const successor = Conversation.start(command, listeners)
      const clock = yield* Effect.clock
      const now = steady(clock)
      const until = now() + timeout
      const expect = (word: string, what: string) =>
        Effect.suspend(() =>
          Effect.raceFirst(
            Effect.interruptible(successor.next),
            Effect.interruptible(Effect.sleep(Math.max(0, until - now())))
          )
        ).pipe(
          Effect.flatMap((heard) => {
            const failed = (reason: HandoffFailed["reason"], explanation: string, cause?: unknown) =>
              new HandoffFailed({ reason, explanation, cause })
            if (heard === undefined) {
              return failed("TimedOut", `Process ${String(successor.pid)} did not ${what} within ${timeout} ms`)
            }
            switch (heard._tag) {
              case "NotStarted":
                return failed("NotStarted", `Cannot start ${JSON.stringify(command.join(" "))}`, heard.cause)
              case "Ended":
                return failed("Ended", `Process ${String(successor.pid)} ended before it accepted, with ${heard.how}`)
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
      }).pipe(Effect.onError(() => stop(successor)))
      handover.give()
      successor.leave()
      const pid = successor.pid ?? 0
      yield* Effect.logInfo(`Process ${pid} accepts from now on; this one shuts down`)
      return { pid }
    })
  )

const described = (held: ReadonlyArray<Held>): Effect.Effect<ReadonlyArray<Inherited>, HandoffFailed> =>
  held.length === 0
    ? new HandoffFailed({
      reason: "NoListener",
      explanation: "The program does not listen: there is nothing to hand over"
    })
    : Effect.forEach(held, ({ address, name, server }) => {
      const fd = descriptorOf(server)
      return fd === undefined
        ? new HandoffFailed({
          reason: "NoDescriptor",
          explanation: `The listener ${JSON.stringify(name)} has no descriptor that Node tells of. `
            + `In a worker of node:cluster it is the primary's.`
        })
        : Effect.succeed({ address, name, fd })
    })

/** It has accepted nothing. */
const stop = (successor: Conversation.Successor): Effect.Effect<void> =>
  Effect.suspend(() => {
    successor.say("no")
    successor.signal("SIGTERM")
    return Effect.raceFirst(
      Effect.interruptible(successor.ended),
      Effect.interruptible(Effect.zipRight(Effect.sleep(killMillis), Effect.sync(() => successor.signal("SIGKILL"))))
    ).pipe(Effect.zipRight(Effect.sync(successor.leave)))
  })

/** The successor accepts already: no load balancer needs to be told. */
const withoutLameDuck = ({ servers }: ProgramService): Effect.Effect<void> =>
  Effect.forEach(
    Array.from(servers),
    (server) =>
      server.phase.changes.pipe(
        Stream.filter((phase) => phase === "LameDuck"),
        Stream.runForEach(() => server.drainNow)
      ),
    { concurrency: "unbounded", discard: true }
  )
