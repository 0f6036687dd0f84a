/**
 * What a server keeps for those who watch it: the log, spans, metrics, a status on a terminal. All of it is read or
 * written at the edges: when a shutdown begins, in its steps, at its end.
 */
import * as LogLevel from "effect/LogLevel"
import type * as Tracer from "effect/Tracer"
import type { ServerContext } from "../drain/serverContext.js"
import type { Phase } from "../model/policy.js"
import type { Report } from "../model/report.js"
import type { PlainService } from "../model/server.js"
import { Failures } from "./failures.js"

let named = 0

export class Telemetry {
  #name: string | undefined = undefined
  readonly #followers = new Set<(phase: Phase) => void>()
  phase: Phase = "Serving"
  /** When its shutdown began. */
  startedAt: number | undefined = undefined
  /** When it entered its phase. */
  phaseSince = 0
  /** Connections that the system could not accept. */
  acceptErrors = 0
  /** The level of what is no failure. */
  infoLevel: LogLevel.LogLevel
  /** A status on a terminal says what the lines of progress would. */
  statusShown = false
  /** The step in which the hooks start. */
  draining: Tracer.AnySpan | undefined = undefined
  /** Of background work, to the log. */
  readonly failures = new Failures()
  /** What the shutdown has said at its end. */
  lastReport: Report | undefined = undefined
  /** Called with the report before anybody else has it. */
  readonly reporting = new Set<(report: Report) => void>()

  constructor(quiet: boolean) {
    this.infoLevel = quiet ? LogLevel.Debug : LogLevel.Info
  }

  /** Tells the servers of one process apart that are measured: a number, unless it is given another name. */
  get name(): string {
    return this.#name ??= String(++named)
  }
  set name(name: string) {
    this.#name = name
  }

  enter(phase: Phase, at: number): void {
    this.phase = phase
    this.phaseSince = at
    for (const tell of this.#followers) tell(phase)
  }

  /** Calls with the phase of now, and each one after it, until what it returns is called. */
  follow(tell: (phase: Phase) => void): () => void {
    this.#followers.add(tell)
    tell(this.phase)
    return () => void this.#followers.delete(tell)
  }

  report(report: Report): void {
    this.lastReport = report
    for (const tell of this.reporting) {
      try {
        tell(report)
      } catch {
        // the shutdown has ended, and its report must reach those who wait for it
      }
    }
  }
}

/** A server, to those who watch it: what its drain finds, and what is kept for them. */
export interface WatchedServer extends ServerContext {
  readonly telemetry: Telemetry
}

const key = Symbol("quiesce/server")

interface View {
  readonly [key]?: WatchedServer
}

/** Lets those who watch a server see what its drain finds. A copy of the service, as decorators make them, keeps it. */
export const withView = <Service extends PlainService>(service: Service, server: WatchedServer): Service =>
  Object.assign(service, { [key]: server } satisfies View)

/** What those who watch a server see of it; `undefined` where somebody else has made it. */
export const viewOf = (service: PlainService & View): WatchedServer | undefined => service[key]
