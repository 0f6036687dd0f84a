/** The server under test, with real sockets and a clock that moves when it is told to, and all who deal with it. */
import * as HttpServer from "@effect/platform/HttpServer"
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as FiberId from "effect/FiberId"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Schedule from "effect/Schedule"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type * as Net from "node:net"
import * as Os from "node:os"
import { NodeHttpServer, Server, Shutdown, Signals } from "../../src/index.js"
import { defects } from "../../src/internal/effect/causes.js"
import { onClock } from "../support/effect/clocks.js"
import { withSeed } from "../support/effect/testServices.js"
import { reportOf } from "../support/running.js"
import { Http1Client } from "./client.js"
import type { Around } from "./client.js"
import { VirtualClock } from "./clock.js"
import { makeApp } from "./effectApp.js"
import type { ClientFact, HookFact, ListenerFact, Moment, RequestFact, Seen } from "./facts.js"
import { HandlerControl } from "./handlerControl.js"
import type { History, PolicyDraw } from "./history.js"
import { Http2Client } from "./http2Client.js"
import { factOf, host, listenAlone, type Listening, nodeForApp, nodeWithHandler, place, targetOf } from "./listeners.js"

export const signal = "SIGUSR2"

/** As Node delivers it, from outside, and to nobody but this process. */
export const deliver = (): void => {
  Reflect.apply(process.emit, process, [signal, signal, Os.constants.signals[signal]])
}

/** The same signal again within this time, in milliseconds, is an echo of the first. */
export const echoMillis = 500

/** How many turns of the event loop in which nothing moves count as rest. */
const quietTurns = 12

/** How many turns it may take to come to rest: some seconds. */
const maxTurns = 200_000

export interface HookAlive {
  readonly fact: HookFact
  readonly scope: Scope.CloseableScope
  running: boolean
  tell: ((how: "succeed" | "fail" | "die") => void) | undefined
}

const polls = {
  default: Shutdown.pollSchedule,
  spaced: Schedule.spaced("250 millis"),
  once: Schedule.recurs(1),
  never: Schedule.stop
} as const

const policyOf = ({ poll, timeout, ...policy }: PolicyDraw): Shutdown.Policy => ({
  ...policy,
  timeout: Number.isFinite(timeout) ? timeout : Duration.infinity,
  pollSchedule: polls[poll]
})

export class World {
  readonly history: History
  readonly clock = new VirtualClock()
  readonly directory: string
  readonly handlers: HandlerControl
  readonly around: Around
  readonly listeners: Array<Listening> = []
  readonly clients: Array<Http1Client | Http2Client> = []
  /** Whose clients they are. */
  readonly homes: Array<Listening> = []
  readonly requests: Array<RequestFact> = []
  readonly hooks: Array<HookAlive> = []
  readonly observed: Array<Seen> = []
  readonly events: Array<Server.Event> = []
  readonly phases: Array<{ readonly phase: Shutdown.Phase; readonly when: Moment }> = []
  readonly sockets: Array<Net.Socket> = []
  readonly reports: Array<Shutdown.Report> = []
  readonly troubles: Array<string> = []
  /** What has been asked of the server, and has not ended yet. */
  readonly running = new Set<Fiber.RuntimeFiber<unknown, unknown>>()
  server!: Server.ServerService
  began: Moment | undefined
  draining: Moment | undefined
  over: Moment | undefined
  closeCalled: Moment | undefined
  drainNow = false
  reported: Moment | undefined
  report: Shutdown.Report | undefined
  liveAtReport = 0
  loud: boolean | undefined
  epoch = 0
  /** Anything that anybody can see of the world has changed. */
  moves = 0
  #nextId = 0
  /** How many events have been looked at. */
  #looked = 0
  #release: () => void = () => {}
  #isSignalled = false
  #signalledAt = Number.NEGATIVE_INFINITY

  constructor(history: History, directory: string) {
    this.history = history
    this.directory = directory
    this.around = {
      moment: () => ({ epoch: this.epoch, at: this.clock.now() }),
      stir: () => void this.moves++
    }
    this.handlers = new HandlerControl(this.around.moment, this.around.stir)
  }

  get moment(): Moment {
    return this.around.moment()
  }

  /** The handlers of the Effect app that have not ended. */
  get liveOfApp(): ReadonlyArray<number> {
    return Array.from(this.handlers.live).filter((id) =>
      this.requests.some((request) => request.id === id && request.client.listener.ofApp)
    )
  }

  nextId(): number {
    return ++this.#nextId
  }

  /** Runs it on the clock of the history. */
  run<A, E>(effect: Effect.Effect<A, E>): Fiber.RuntimeFiber<A, E> {
    const fiber = Effect.runFork(effect.pipe(
      Effect.provide(Logger.remove(Logger.defaultLogger)),
      withSeed(this.history.steps.length),
      onClock(this.clock)
    ))
    this.running.add(fiber)
    fiber.addObserver(() => {
      this.running.delete(fiber)
      this.moves++
    })
    return fiber
  }

  runPromise<A, E>(effect: Effect.Effect<A, E>): Promise<Exit.Exit<A, E>> {
    return new Promise((resolve) => this.run(effect).addObserver(resolve))
  }

  /** Waits until nothing moves any more. */
  readonly settle = async (): Promise<void> => {
    this.#lookAtTime()
    let turns = 0
    for (let quiet = 0, seen = -1; turns < maxTurns; turns++) {
      await new Promise((resolve) => setImmediate(resolve))
      const moves = this.moves + this.clock.moves
      quiet = moves === seen ? quiet + 1 : 0
      seen = moves
      if (quiet < quietTurns || this.#isClosingListener()) continue
      for (const client of this.clients) client.look()
      this.#lookAround()
      if (this.moves + this.clock.moves === seen && (!this.#isOverdue || quiet > quietTurns * 20)) break
    }
    if (this.#isOverdue) this.troubles.push(`nothing is left to wait for since ${this.clock.now()}`)
    if (turns >= maxTurns) this.troubles.push("it never comes to rest")
    this.epoch++
  }

  readonly advance = async (millis: number): Promise<void> => {
    await this.clock.advance(millis, this.settle)
  }

  /** The deadline passes for everybody at once. */
  #lookAtTime(): void {
    const { clock, draining, history: { policy: { timeout } } } = this
    if (draining === undefined || this.over !== undefined) return
    if (clock.now() >= draining.at + timeout) this.over = this.moment
  }

  #lookAround(): void {
    for (const event of this.events.slice(this.#looked)) {
      if (event._tag !== "PhaseChanged") continue
      const when = { epoch: this.epoch, at: event.at }
      this.phases.push({ phase: event.phase, when })
      this.began ??= when
      if (event.phase === "Draining") this.draining = when
    }
    this.#looked = this.events.length
    this.#lookAtTime()
    for (const { fact, node } of this.listeners) {
      if (!node.listening) fact.closed ??= this.moment
    }
  }

  #isClosingListener(): boolean {
    const phase = Effect.runSync(this.server.phase.get)
    return this.listeners.some(({ closesAlone, node }) =>
      node.listening && (phase === "Draining" || (phase !== "Closed" && closesAlone))
    )
  }

  /** Nothing is left that a drain could wait for, and it goes on. */
  get #isOverdue(): boolean {
    return this.draining !== undefined && this.report === undefined && this.handlers.live.size === 0
      && this.hooks.every(({ running }) => !running) && this.sockets.every(({ destroyed }) => destroyed)
  }

  /** Whether a first byte that is sent now is there before draining closes that listener. */
  isBeforeClose(client: ClientFact): boolean {
    const node = this.homes[client.id]?.node
    if (node === undefined || client.connected === undefined) return false
    const phase = Effect.runSync(this.server.phase.get)
    return phase === "Serving" || phase === "LameDuck" || (phase === "Draining" && node.listening)
  }

  prepare(node: Net.Server): void {
    node.on("connection", (socket: Net.Socket) => {
      this.moves++
      this.sockets.push(socket)
    })
  }

  /** Makes the server, and waits until it listens. */
  async start(): Promise<void> {
    const { history } = this
    const isPlain = history.main === "plain"
    const fact: ListenerFact = factOf(
      isPlain
        ? "tcp adopted"
        : history.main === "app over h2"
        ? "h2 app"
        : history.main === "app over unix"
        ? "unix app"
        : "tcp app"
    )
    const node = isPlain ? nodeWithHandler(fact.protocol, this.handlers) : nodeForApp(fact.protocol)
    const options = place(fact.transport, this.directory)
    const policy = policyOf(history.policy)
    this.prepare(node)
    if (isPlain) await listenAlone(node, options)
    const program: Effect.Effect<Server.ServerService, unknown, Scope.Scope> = isPlain
      ? Server.adopt(node, policy)
      : Effect.map(
        Layer.build(
          HttpServer.serve(makeApp(this.handlers)).pipe(
            Layer.provideMerge(NodeHttpServer.layer(() => node, { ...options, ...policy }))
          )
        ),
        (context) => Context.get(context, Server.Server)
      )
    this.server = await this.#hold(program)
    const address = node.address()
    if (address === null) throw new Error("it does not listen")
    this.listeners.push({
      fact,
      node,
      target: targetOf(
        typeof address === "string"
          ? { _tag: "UnixAddress", path: address }
          : { _tag: "TcpAddress", hostname: host, port: address.port }
      ),
      scope: undefined,
      closing: false,
      closesAlone: false
    })
    await this.#watch()
  }

  /** Something holds the server: a scope, a fiber, or a program that signals stop. */
  #hold<E>(program: Effect.Effect<Server.ServerService, E, Scope.Scope>): Promise<Server.ServerService> {
    return new Promise((resolve, reject) => {
      const ended = (exit: Exit.Exit<unknown, unknown>) => {
        this.moves++
        this.loud = Exit.isFailure(exit) &&
          defects(exit.cause).some((defect) => defect instanceof Shutdown.DeadlineExceeded)
      }
      if (this.history.held === "scope") {
        const scope = Effect.runSync(Scope.make())
        this.run(Scope.extend(program, scope)).addObserver((exit) => {
          if (Exit.isSuccess(exit)) resolve(exit.value)
          else reject(new Error(Cause.pretty(exit.cause)))
        })
        this.#release = () => {
          this.run(Scope.close(scope, Exit.void)).addObserver(ended)
        }
        return
      }
      const holding = Effect.scoped(Effect.flatMap(program, (server) => {
        resolve(server)
        return Effect.never
      }))
      const isHandled = this.history.held === "signals"
      const fiber = this.run(isHandled ? Signals.handle({ signals: [signal] })(holding) : holding)
      fiber.addObserver((exit) => {
        ended(exit)
        if (this.server === undefined) reject(new Error(String(exit)))
      })
      this.#release = isHandled
        ? () => this.signal()
        : () => fiber.unsafeInterruptAsFork(FiberId.none)
    })
  }

  /** Lets go of what holds the server, once. */
  release(): void {
    const release = this.#release
    this.#release = () => {}
    this.begin()
    release()
  }

  /** The first stops, and each further one that is meant asks for more. */
  signal(): void {
    const { at } = this.moment
    if (at - this.#signalledAt >= echoMillis) {
      this.#signalledAt = at
      const phase = Effect.runSync(this.server.phase.get)
      if (!this.#isSignalled) this.begin()
      else if (phase === "LameDuck") this.drainNow = true
      else if (this.report === undefined) this.cut()
      this.#isSignalled = true
    }
    deliver()
  }

  /** Somebody closes the server. */
  cut(): void {
    this.begin()
    if (this.report !== undefined) return
    this.closeCalled ??= this.moment
    this.over ??= this.moment
  }

  begin(): void {
    this.began ??= this.moment
  }

  /** Calls it, as one of many. */
  call(shutdown: Effect.Effect<Shutdown.Report, Shutdown.DeadlineExceeded>): void {
    const report = Effect.catchTag(shutdown, "DeadlineExceeded", ({ report }) => Effect.succeed(report))
    this.run(report).addObserver((exit) => {
      if (Exit.isSuccess(exit)) this.reports.push(exit.value)
      else this.troubles.push(`a caller of shutdown got ${Cause.pretty(exit.cause)}`)
    })
  }

  async #watch(): Promise<void> {
    const { server } = this
    const watching = Effect.runSync(Scope.make())
    const observers = Effect.gen(this, function*() {
      if (this.history.throwingObserver) {
        yield* server.observe(() => {
          throw new Error("an observer that throws")
        })
      }
      yield* server.observe((connection) => {
        this.moves++
        this.observed.push({ connection, when: this.moment })
      })
    })
    await this.runPromise(Scope.extend(observers, watching))
    this.run(Stream.runForEach(server.events, (event) =>
      Effect.sync(() => {
        this.moves++
        this.events.push(event)
      })))
    this.run(reportOf(server.closed)).addObserver((exit) => {
      if (Exit.isFailure(exit)) return
      this.report = exit.value
      this.reported = this.moment
      this.liveAtReport = this.liveOfApp.length
    })
    await this.settle()
  }

  /** A client of that listener, which connects. */
  connect(listening: Listening, halfOpen: boolean): void {
    const fact: ClientFact = {
      id: this.clients.length,
      listener: listening.fact,
      requests: [],
      connected: undefined,
      left: undefined,
      paused: false,
      reading: true,
      ending: "open",
      ended: undefined,
      broken: undefined,
      upgraded: undefined,
      messages: [],
      echoes: [],
      closeCode: undefined,
      polite: true,
      goaway: undefined,
      lastStream: -1,
      garbage: undefined
    }
    this.homes.push(listening)
    const Client = listening.fact.protocol === "h2" ? Http2Client : Http1Client
    this.clients.push(new Client(listening.target, halfOpen, fact, this.around))
  }
}

/** One of them, whatever number is given. */
export const pick = <A>(all: ReadonlyArray<A>, index: number): A | undefined =>
  all.length === 0 ? undefined : all[index % all.length]
