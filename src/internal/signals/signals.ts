/**
 * What the signals that a process gets mean: which are meant, and what each further one asks for.
 */
import * as Effect from "effect/Effect"
import * as Os from "node:os"
import { isMainThread } from "node:worker_threads"
import * as Line from "../log/line.js"
import { InvalidPolicy } from "../model/errors.js"
import type { Phase } from "../model/policy.js"
import { watchOwnSignals } from "../node/ownSignals.js"
import { DuplicateWindow } from "./duplicates.js"
import { dropRunMain, type Others, othersFor, warningAbout } from "./otherListeners.js"
import { type Origin, receive, stayInstalled, stopReceiving } from "./processSignals.js"
import { shared } from "./shared.js"

/** What is wrong with a list of signals. */
export const invalid = (
  names: ReadonlyArray<NodeJS.Signals>,
  expected: string
): InvalidPolicy | undefined => {
  if (!Array.isArray(names)) return new InvalidPolicy({ field: "signals", value: names, expected })
  if (!isMainThread && names.length > 0) {
    return new InvalidPolicy({
      field: "signals",
      value: names.join(", "),
      expected:
        "left out, or none, in a worker thread, where no signal arrives: handle them in the main thread, and let "
        + "it send a message on which the worker shuts its server down"
    })
  }
  for (const name of names) {
    if (isKnown(name) && name !== "SIGKILL" && name !== "SIGSTOP") continue
    return new InvalidPolicy({ field: "signals", value: name, expected })
  }
  return undefined
}

/** What a shell says of a process that this signal has ended: 128 and the signal's number. */
export const exitCodeOf = (signal: NodeJS.Signals): number => 128 + Os.constants.signals[signal]

/** Windows has fewer. */
export const isKnown = (name: NodeJS.Signals): boolean => Object.hasOwn(Os.constants.signals, name)

/** What a further signal does to a server. */
export interface Stoppable {
  readonly phase: { readonly get: Effect.Effect<Phase> }
  readonly drainNow: Effect.Effect<void>
  readonly close: Effect.Effect<unknown>
}

export interface Stop {
  /** Default: the clock of the machine. */
  readonly now?: () => number
  readonly run: (effect: Effect.Effect<void>) => void
  readonly log: (line: Effect.Effect<void>) => void
  /** Those that a further signal may cut. */
  readonly servers: () => Iterable<Stoppable>
  /** The first signal: stops gracefully. */
  readonly begin: () => void
  /** A further one closes what is open. */
  readonly forced?: (signal: NodeJS.Signals) => void
  /** A further one finds nothing open. */
  readonly nothingOpen?: () => void
  /** Passes a further one on to the workers that still drain, and says which these are. */
  readonly forwardSignal?: (signal: NodeJS.Signals) => ReadonlyArray<number>
  /** One that this process has sent itself: another listener is done. */
  readonly raised?: () => void
  /** The first one has come before. */
  readonly begun?: boolean
  /** Other listeners in the process do not hear of a signal before all is over: nothing is wrong with them. */
  readonly othersWait?: boolean
  /** One more has come than there is something to cut. */
  readonly givesUp?: (signal: NodeJS.Signals) => void
}

export interface Listening {
  readonly first: () => NodeJS.Signals | undefined
  /** Others in the process that handle the signal, and have not sent it again since to say that they are done. */
  readonly others: () => Others
  /** The shutdown is over: listens on only where others handle the signal, too, and for duplicates. */
  readonly stop: () => void
}

const none: Others = { named: [], remedies: [], runMain: false }

/**
 * Listens until told to stop. The first signal begins to stop; the next one ends a lame duck, or else closes what is
 * open; the one after that gives up, and does what it does where nobody listens. What the process sends to itself
 * meanwhile is nobody's wish.
 */
export const listen = (signals: ReadonlyArray<NodeJS.Signals>, stop: Stop): Listening => new Signals(signals, stop)

class Signals implements Listening {
  readonly #names: ReadonlySet<NodeJS.Signals>
  readonly #stop: Stop
  #first: NodeJS.Signals | undefined
  readonly #duplicates: DuplicateWindow
  /** A further one ends the process. */
  #isLast = false
  #isOver = false
  #others = none
  /** How often this process has sent itself a signal again: each time, one of the others is done. */
  #raised = 0
  #hasSaidOwn = false
  #unwatch: (() => void) | undefined

  constructor(signals: ReadonlyArray<NodeJS.Signals>, stop: Stop) {
    this.#names = new Set(signals)
    this.#stop = stop
    this.#duplicates = new DuplicateWindow(stop.now)
    this.#first = stop.begun === true ? signals[0] : undefined
    if (this.#first !== undefined) {
      this.#duplicates.open()
      this.#unwatch = this.#watch()
    }
    for (const name of this.#names) receive(name, this.#onSignal)
  }

  first(): NodeJS.Signals | undefined {
    return this.#first
  }

  others(): Others {
    return this.#raised < this.#others.named.length ? this.#others : { ...this.#others, named: [] }
  }

  stop(): void {
    this.#isOver = true
    // they hear of the signal now, and may send it again to end the process by it
    if (this.#first === undefined || this.#stop.othersWait === true) return this.#unlisten()
    // until the process ends: another one, of theirs, would end it with the code of a signal
    if (this.#others.named.length > this.#raised) return
    // something may hold the process until then
    shared.listeners.add(this.#unlisten)
    process.once("beforeExit", this.#unlisten)
    this.#duplicates.whenClosed(this.#unlisten)
  }

  readonly #onSignal = (name: NodeJS.Signals, origin: Origin): void => {
    if (this.#first === undefined) return this.#begins(name)
    if (origin !== "Outside") return this.#isOwn(name, origin)
    if (this.#duplicates.isOpen) return
    this.#duplicates.open()
    if (this.#isLast || this.#isOver) return this.#endsProcess(name)
    this.#further(name)
  }

  #begins(name: NodeJS.Signals): void {
    this.#first = name
    this.#duplicates.open()
    this.#unwatch = this.#watch()
    if (this.#stop.othersWait !== true) this.#others = othersFor(name)
    this.#stop.log(Line.info(`${name}: shutting down`, received(name, "ShutDown")))
    const warning = warningAbout(name, this.#others)
    if (warning !== undefined && !shared.named.has(name)) {
      shared.named.add(name)
      this.#stop.log(Line.warning(warning, { event: "OtherListeners", signal: name, others: this.#others.named }))
    }
    this.#stop.begin()
  }

  #isOwn(name: NodeJS.Signals, origin: Origin): void {
    if (!this.#hasSaidOwn) {
      const message = `Another ${name}, which this process has sent itself: ignored, the shutdown goes on`
      this.#stop.log(Line.info(message, received(name, "Ignored")))
    }
    this.#hasSaidOwn = true
    if (origin === "Emitted") return
    this.#raised++
    this.#stop.raised?.()
  }

  #further(name: NodeJS.Signals): void {
    const stop = this.#stop
    const { lameDucks, open } = stillOpen(stop.servers())
    const workers = stop.forwardSignal?.(name) ?? []
    if (lameDucks.length > 0) {
      this.#warn(name, "Drain", "draining at once; one more cuts what is open")
      for (const server of lameDucks) stop.run(server.drainNow)
      return
    }
    this.#isLast = true
    if (open.length === 0) {
      this.#warn(name, workers.length > 0 ? "PassedOn" : "Finalizing", nothingOpen(workers))
      return stop.nothingOpen?.()
    }
    stop.forced?.(name)
    this.#warn(name, "Close", "closing at once; finalizers still run; one more ends the process")
    for (const server of open) stop.run(Effect.asVoid(server.close))
  }

  #endsProcess(name: NodeJS.Signals): void {
    this.#unlisten()
    this.#stop.givesUp?.(name)
    dropRunMain(name)
    // nobody else makes anything of it
    if (process.listenerCount(name) > 0) return
    process.kill(process.pid, name)
    // the kernel drops a signal that the init of a container has no listener for
    // oxlint-disable-next-line no-process-exit -- the signal would have done it
    if (process.pid === 1) process.exit(exitCodeOf(name))
  }

  #warn(name: NodeJS.Signals, action: Action, message: string): void {
    this.#stop.log(Line.warning(`Another ${name}: ${message}`, received(name, action)))
  }

  #watch(): () => void {
    return watchOwnSignals(() => this.#names.forEach(stayInstalled))
  }

  readonly #unlisten = (): void => {
    for (const name of this.#names) stopReceiving(name, this.#onSignal)
    this.#unwatch?.()
    this.#duplicates.dispose()
    process.off("beforeExit", this.#unlisten)
  }
}

/** What comes of a signal. */
type Action = "ShutDown" | "Drain" | "Close" | "Finalizing" | "PassedOn" | "Ignored"

const received = (signal: NodeJS.Signals, action: Action): Line.Data => ({ event: "SignalReceived", signal, action })

const nothingOpen = (workers: ReadonlyArray<number>): string =>
  workers.length === 0
    ? "no server is open, finalizers still run; one more ends the process"
    : `${workers.length === 1 ? "1 worker still drains" : `${workers.length} workers still drain`}: `
      + `${workers.join(", ")}; passed on to them; one more ends this process, and cuts what they have open`

/** What a further signal finds open, and those of them that end their lame duck first. */
export const stillOpen = <Server extends Stoppable>(servers: Iterable<Server>) => {
  const phases = Array.from(servers, (server) => ({ server, phase: Effect.runSync(server.phase.get) }))
  const those = (are: (phase: Phase) => boolean) => phases.filter(({ phase }) => are(phase)).map(({ server }) => server)
  return { open: those((phase) => phase !== "Closed"), lameDucks: those((phase) => phase === "LameDuck") }
}
