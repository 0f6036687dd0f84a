/**
 * What the signals that a process gets mean: which are meant, and what each further one asks for.
 */
import * as Effect from "effect/Effect"
import * as Os from "node:os"
import type { ServerService } from "../../Server.js"
import { InvalidPolicy, type Phase } from "../../Shutdown.js"
import * as Line from "../telemetry/line.js"

/**
 * The same signal again this soon is not meant. npm passes on the SIGINT that its child has had from the terminal
 * (90 ms later, measured), and GNU `timeout` sends each signal to its child and to the child's group. A person who
 * will not wait, or a supervisor, takes longer.
 */
const echoMillis = 500

/** What is wrong with a list of signals. */
export const invalid = (
  names: ReadonlyArray<NodeJS.Signals>,
  expected: string
): InvalidPolicy | undefined => {
  if (!Array.isArray(names)) return new InvalidPolicy({ field: "signals", value: names, expected })
  for (const name of names) {
    if (isKnown(name) && name !== "SIGKILL" && name !== "SIGSTOP") continue
    return new InvalidPolicy({ field: "signals", value: name, expected })
  }
  return undefined
}

/** Windows has fewer. */
export const isKnown = (name: NodeJS.Signals): boolean => Object.hasOwn(Os.constants.signals, name)

export interface Stop {
  readonly now: () => number
  readonly run: (effect: Effect.Effect<void>) => void
  /** Those that a further signal may cut. */
  readonly servers: () => Iterable<ServerService>
  /** The first signal: stops gracefully. */
  readonly begin: () => void
  /** A further one closes what is open. */
  readonly forced?: (signal: NodeJS.Signals) => void
  /** A further one finds nothing open. */
  readonly nothingOpen?: () => void
  /** Passes a further one on to the workers that still drain, and says which these are. */
  readonly passOn?: (signal: NodeJS.Signals) => ReadonlyArray<number>
  /** The first one has come before. */
  readonly begun?: boolean
}

export interface Listening {
  readonly first: () => NodeJS.Signals | undefined
  readonly stop: () => void
}

/**
 * Listens until told to stop. The first signal begins to stop; the next one ends a lame duck, or else closes what is
 * open; the one after that gives up, and does what it does where nobody listens.
 */
export const listen = (signals: ReadonlyArray<NodeJS.Signals>, stop: Stop): Listening => {
  const names = new Set(signals)
  const began = stop.begun === true ? stop.now() : undefined
  const counted = new Map<NodeJS.Signals, number>(began === undefined ? [] : signals.map((name) => [name, began]))
  let first = began === undefined ? undefined : signals[0]
  let last = false

  const say = (level: "Info" | "Warning", message: string) =>
    stop.run(level === "Info" ? Line.info(message) : Line.warning(message))

  const heard = (name: NodeJS.Signals) => {
    const now = stop.now()
    if (now - (counted.get(name) ?? Number.NEGATIVE_INFINITY) < echoMillis) return
    counted.set(name, now)
    if (first === undefined) {
      first = name
      say("Info", `${name}: shutting down`)
      return stop.begin()
    }
    if (last) {
      unlisten()
      // nobody else makes anything of it
      if (process.listenerCount(name) > 0) return
      process.kill(process.pid, name)
      // the kernel drops a signal that the init of a container has no listener for
      // oxlint-disable-next-line no-process-exit -- the signal would have done it
      if (process.pid === 1) process.exit(128 + Os.constants.signals[name])
      return
    }
    const { ducks, open } = stillOpen(stop.servers())
    const workers = stop.passOn?.(name) ?? []
    if (ducks.length > 0) {
      say("Warning", `Another ${name}: draining at once; one more cuts what is open`)
      for (const server of ducks) stop.run(server.drainNow)
      return
    }
    last = true
    if (open.length === 0) {
      say("Warning", `Another ${name}: ${nothingOpen(workers)}`)
      return stop.nothingOpen?.()
    }
    stop.forced?.(name)
    say("Warning", `Another ${name}: closing at once; finalizers still run; one more ends the process`)
    for (const server of open) stop.run(Effect.asVoid(server.close))
  }
  const unlisten = () => {
    for (const name of names) process.off(name, heard)
  }
  for (const name of names) process.on(name, heard)
  return { first: () => first, stop: unlisten }
}

const nothingOpen = (workers: ReadonlyArray<number>): string =>
  workers.length === 0
    ? "no server is open, finalizers still run; one more ends the process"
    : `${workers.length === 1 ? "1 worker still drains" : `${workers.length} workers still drain`}: `
      + `${workers.join(", ")}; passed on to them; one more ends this process, and cuts what they have open`

/** What a further signal finds open, and those of them that end their lame duck first. */
export const stillOpen = (servers: Iterable<ServerService>) => {
  const phases = Array.from(servers, (server) => ({ server, phase: Effect.runSync(server.phase.get) }))
  const those = (are: (phase: Phase) => boolean) => phases.filter(({ phase }) => are(phase)).map(({ server }) => server)
  return { open: those((phase) => phase !== "Closed"), ducks: those((phase) => phase === "LameDuck") }
}
