/**
 * What a scenario acts on: a server that has just started, its clients, and its signal.
 */
import * as Net from "node:net"
import { Client, type ClientOptions } from "../client/client.js"
import { Gate } from "../client/gate.js"
import { Http2Client } from "../client/http2.js"
import type { End, Offer, Settings, Target } from "../model.js"
import { canSeeListeners, isListening } from "../process/listening.js"
import type { ServerProcess } from "../process/serverProcess.js"
import { Transcript } from "../transcript.js"
import { now, pause, until } from "../wait.js"
import { Lag } from "./lag.js"

/** A server that does not show that it knows of the signal is taken to know by then. */
const reactionLimit = 500

/** A machine that was late for so long in all may be why a server has not ended. */
const tooLate = 100

export class Stage {
  readonly settings: Settings
  readonly offer: Offer
  readonly server: ServerProcess
  readonly target: Target
  readonly transcript = new Transcript()
  /** How late the clients are, since the signal. */
  readonly lag = new Lag()
  readonly #clients: Array<Client | Http2Client> = []
  #signalAt: number | undefined
  #waitedBefore = 0

  /** Starts another server where this one was; says why it does not start. */
  readonly startAgain: () => Promise<string | undefined>

  constructor(
    settings: Settings,
    offer: Offer,
    server: ServerProcess,
    target: Target,
    startAgain: () => Promise<string | undefined>
  ) {
    this.startAgain = startAgain
    this.settings = settings
    this.offer = offer
    this.server = server
    this.target = target
  }

  /** A client, as soon as it is connected, or cannot be. */
  async connect(name: string, options: Partial<ClientOptions> = {}): Promise<Client> {
    const client = this.open(name, options)
    await client.opened()
    return client
  }

  open(name: string, options: Partial<ClientOptions> = {}): Client {
    const client = new Client(this.target, {
      name,
      transcript: this.transcript,
      tls: this.settings.tls,
      onAct: () => this.lag.note(),
      ...options
    })
    this.#clients.push(client)
    return client
  }

  openHttp2(name: string): Http2Client {
    const client = new Http2Client(this.target, {
      name,
      transcript: this.transcript,
      tls: this.settings.tls,
      onAct: () => this.lag.note()
    })
    this.#clients.push(client)
    return client
  }

  /** A client whose handshake goes on when the gate opens. */
  openGated(name: string): { readonly client: Client; readonly gate: Gate } {
    const gate = new Gate(Net.connect(this.target))
    return { client: this.open(name, { over: gate }), gate }
  }

  signal(): void {
    this.transcript.add("server", "signal", this.settings.signal)
    if (this.#signalAt === undefined) {
      this.lag.forget()
      this.#waitedBefore = this.server.keptWaiting()
      this.#signalAt = now()
    }
    this.server.signal(this.settings.signal, this.settings.group)
  }

  /** Since the signal. */
  millis(): number {
    return this.#signalAt === undefined ? 0 : now() - this.#signalAt
  }

  /** Until a supervisor would kill it. */
  remaining(): number {
    return Math.max(0, this.settings.killAfterMillis - this.millis())
  }

  /** Until it shows that it knows of the signal: it has ended, or closed its listener, or had long enough. */
  async reaction(): Promise<void> {
    const limit = reactionLimit - this.millis()
    if (!canSeeListeners()) await this.server.ended(limit)
    else await until(() => this.server.exit !== undefined || !isListening(this.target), limit, 3)
    await pause(30)
  }

  /**
   * How it ended, or that it would have been killed. On a machine that is late it has as much more time, so that it is
   * known whether it ends at all.
   */
  async end(): Promise<End> {
    const { killAfterMillis } = this.settings
    await this.server.ended(this.remaining())
    const more = Math.min(this.#late(), killAfterMillis)
    if (more > tooLate) await this.server.ended(killAfterMillis + more - this.millis())
    const end = this.seen() ?? { stillRunning: true, code: null, signal: null, millis: Math.round(this.millis()) }
    this.transcript.add("server", end.stillRunning ? "note" : "exit", describeEnd(end))
    return end
  }

  /** How it has ended, if it has by now. */
  seen(): End | undefined {
    const { exit } = this.server
    if (exit === undefined) return undefined
    const millis = Math.max(0, Math.round(exit.at - (this.#signalAt ?? exit.at)))
    // it was killed a moment before, even if that was not seen in time
    if (millis > this.settings.killAfterMillis && this.#late() <= tooLate) return undefined
    return { stillRunning: false, code: exit.code, signal: exit.signal, millis }
  }

  /** Since the signal, for how long the machine has kept the server from running. */
  serverLate(): number {
    return Math.round(this.server.keptWaiting() - this.#waitedBefore)
  }

  #late(): number {
    return Math.max(this.lag.total(), this.serverLate())
  }

  /** Whether it ended when a supervisor would have killed it, on a machine that was late. */
  endedInDoubt(): boolean {
    return (this.seen()?.millis ?? 0) > this.settings.killAfterMillis
  }

  leave(): void {
    for (const client of this.#clients) client.leave()
  }
}

export const seconds = (millis: number): string =>
  millis < 1000 ? `${Math.round(millis)} ms` : `${(millis / 1000).toFixed(1)} s`

export const describeEnd = (end: End): string => {
  if (end.stillRunning) return `still running after ${seconds(end.millis)}`
  return `${end.signal === null ? `exit code ${end.code}` : `died of ${end.signal}`} after ${seconds(end.millis)}`
}
