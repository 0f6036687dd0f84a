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
      ...options
    })
    this.#clients.push(client)
    return client
  }

  openHttp2(name: string): Http2Client {
    const client = new Http2Client(this.target, { name, transcript: this.transcript, tls: this.settings.tls })
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
    if (this.#signalAt === undefined) this.lag.forget()
    this.#signalAt ??= now()
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

  /** How it ended, or that it would have been killed. */
  async end(): Promise<End> {
    await this.server.ended(this.remaining())
    const end = this.seen() ?? { stillRunning: true, code: null, signal: null, millis: Math.round(this.millis()) }
    this.transcript.add("server", end.stillRunning ? "note" : "exit", describeEnd(end))
    return end
  }

  /** How it has ended, if it has by now. */
  seen(): End | undefined {
    const { exit } = this.server
    if (exit === undefined) return undefined
    return {
      stillRunning: false,
      code: exit.code,
      signal: exit.signal,
      millis: Math.max(0, Math.round(exit.at - (this.#signalAt ?? exit.at)))
    }
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
