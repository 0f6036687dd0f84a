/**
 * What was done and what was seen in a history: the only thing that the rules look at. Nothing in here comes from the
 * inside of the product; its report and what its observers saw are kept as they came.
 */
import type { Connection, Server, Shutdown } from "../../src/index.js"
import type { History, HookKind } from "./history.js"
import type { Kind, Size } from "./requests.js"

/**
 * When something happened. `epoch` counts how often everything had come to rest: of two things in one epoch nobody can
 * say which of them the server has seen first.
 */
export interface Moment {
  readonly epoch: number
  /** Milliseconds of the clock. */
  readonly at: number
}

export interface Answer {
  readonly status: number
  readonly body: Buffer
  readonly complete: boolean
  readonly close: boolean
  /** What `Keep-Alive: timeout` promised, in milliseconds. */
  readonly promised: number | undefined
}

export interface RequestFact {
  readonly id: number
  readonly client: ClientFact
  readonly kind: Kind | "websocket" | "echo upgrade" | "declined"
  readonly method: string
  readonly size: Size
  readonly stream: number | undefined
  /** Its first byte has left its client. */
  readonly first: Moment
  /** Draining had not closed its listener by then. */
  readonly beforeClose: boolean
  /** Its last byte has. */
  whole: Moment | undefined
  /** How often its handler was started. */
  executed: number
  started: Moment | undefined
  /** Its handler has said how its answer begins. */
  head: Moment | undefined
  /** Its handler has done all of its work. */
  done: Moment | undefined
  /** It failed, or died. */
  failed: boolean
  /** Its handler, which waited, was interrupted. */
  interrupted: boolean
  answer: Answer | undefined
  /** Its answer was whole. */
  seen: Moment | undefined
  /** Of HTTP/2: its client has reset it. */
  reset: Moment | undefined
  /** Of HTTP/2: the server has reset it, with this code. */
  resetByServer: number | undefined
}

export interface ClientFact {
  readonly id: number
  readonly listener: ListenerFact
  readonly requests: Array<RequestFact>
  connected: Moment | undefined
  /** It closed, half-closed or reset its connection. */
  left: Moment | undefined
  /** It has ever stopped reading: what it has seen when says nothing about what was sent when. */
  paused: boolean
  reading: boolean
  ending: "open" | "fin" | "reset" | "refused"
  ended: Moment | undefined
  /** A handler has failed in the middle of an answer, which only the end of the connection can tell. */
  broken: Moment | undefined
  /** A 101 has come, and what came after it. */
  upgraded: Moment | undefined
  readonly messages: Array<{ readonly text: string; readonly sent: Moment }>
  readonly echoes: Array<string>
  /** The code of the close frame that came. */
  closeCode: number | undefined
  polite: boolean
  /** Of HTTP/2: the first GOAWAY, and the last stream of the last one. */
  goaway: Moment | undefined
  lastStream: number
  /** What it got that is no HTTP. */
  garbage: string | undefined
}

export interface ListenerFact {
  readonly kind: string
  readonly ofApp: boolean
  readonly protocol: "http/1.1" | "h2"
  readonly transport: "tcp" | "unix"
  closed: Moment | undefined
}

export interface HookFact {
  readonly name: string
  readonly kind: HookKind
  readonly limit: number | undefined
  readonly registered: Moment
  takenBack: Moment | undefined
  started: Array<Moment>
  /** It was told to end so, in time to be heard. */
  told: { readonly how: "succeed" | "fail" | "die"; readonly when: Moment } | undefined
}

export interface Seen {
  readonly connection: Connection.Connection
  readonly when: Moment
}

export interface Facts {
  readonly history: History
  readonly clients: ReadonlyArray<ClientFact>
  readonly requests: ReadonlyArray<RequestFact>
  readonly hooks: ReadonlyArray<HookFact>
  /** As an observer saw them. */
  readonly observed: ReadonlyArray<Seen>
  /** As the stream of events told them. */
  readonly events: ReadonlyArray<Server.Event>
  readonly phases: ReadonlyArray<{ readonly phase: Shutdown.Phase; readonly when: Moment }>
  /** Connections that Node accepted. */
  readonly accepted: number
  /** The shutdown began; draining began; the deadline passed, or `close` was called. */
  readonly began: Moment
  readonly draining: Moment | undefined
  readonly over: Moment | undefined
  readonly closeCalled: Moment | undefined
  /** Somebody ended the lame duck early. */
  readonly drainNow: boolean
  /** Everything that waited was let go by then. */
  readonly letGo: Moment | undefined
  readonly report: Shutdown.Report
  readonly reported: Moment
  /** What each caller got. */
  readonly reports: ReadonlyArray<Shutdown.Report>
  /** Whether the fiber or the scope that held the server failed loudly. */
  readonly loud: boolean | undefined
  /** What was observed after the report. */
  readonly late: ReadonlyArray<string>
  readonly left: ReadonlyArray<string>
  /** What went wrong while it was played. */
  readonly troubles: ReadonlyArray<string>
}

export const isUpgrade = ({ kind }: RequestFact): boolean => kind === "websocket" || kind === "echo upgrade"

/** `a` was over before `b` could have begun. */
export const before = (a: Moment, b: Moment | undefined): boolean =>
  b === undefined || (a.epoch < b.epoch && a.at <= b.at)
