/**
 * One instance around its restart: its connections, what is in flight, and how its process stops. Which graces are in
 * force, when an idle connection is closed, and whether an answer asks its client to leave is decided by the code of the
 * drain itself.
 */
import { announcedMillis, idleUntil } from "../core/idleGrace.js"
import { advance, type Grace, type Lifecycle, serving } from "../core/lifecycle.js"
import type { EventQueue } from "./eventQueue.js"
import type { Fleet } from "./model.js"

export interface Connection {
  idleSince: number
  /** By the server. Its peer knows it half a round trip later. */
  closedAt: number
}

/** A request that an instance has begun to serve. */
export interface InFlight {
  readonly onCut: (at: number) => void
}

export interface Observer {
  /** No longer ready, to whoever asks. */
  readonly onNotReady: (at: number) => void
  readonly onEnd: (at: number, wasKilled: boolean) => void
}

const never = Number.POSITIVE_INFINITY

/** A server that nobody stops closes idle connections after its keep-alive timeout. */
const keptAlive: Grace = { idle: "keepAliveTimeout", newConnection: never, since: 0 }

export class Instance {
  readonly #fleet: Fleet
  readonly #queue: EventQueue
  readonly #observer: Observer
  readonly #inFlight = new Set<InFlight>()
  /** The one that was used last is at the end. */
  readonly #idle: Array<Connection> = []
  #lifecycle: Lifecycle = serving
  #isListening = true
  #isDying = false
  #hasEnded = false
  #lastUse = -never
  #nextLook = never

  constructor(fleet: Fleet, queue: EventQueue, observer: Observer) {
    this.#fleet = fleet
    this.#queue = queue
    this.#observer = observer
  }

  get isListening(): boolean {
    return this.#isListening
  }

  /** It accepts, as its kernel does, and answers nothing any more. */
  get isDying(): boolean {
    return this.#isDying
  }

  /** In a lame duck with no connection left, nothing depends on a request that is answered before the listeners close. */
  get isQuietLameDuck(): boolean {
    return this.#lifecycle.state === "Stopping" && this.#idle.length === 0
  }

  signal(at: number): void {
    const { grace, stop } = this.#fleet
    this.#queue.add(at + grace, (at) => this.#end(at, true))
    switch (stop._tag) {
      case "Ignore":
        return
      case "Exit":
        this.#observer.onNotReady(at)
        this.#isDying = true
        return this.#queue.add(at + stop.takes, (at) => this.#end(at, false))
      case "Close": {
        this.#observer.onNotReady(at)
        this.#isListening = false
        for (const connection of this.#idle) this.#closeIfOpen(connection, at)
        return this.#look(at)
      }
      case "Drain": {
        this.#observer.onNotReady(at)
        this.#lifecycle = advance(this.#lifecycle, { to: "Stopping" })
        if (stop.policy.lameDuck === 0) this.#drain(at)
        else this.#queue.add(at + stop.policy.lameDuck, (at) => this.#drain(at))
      }
    }
  }

  /** The process is started again, where it was. */
  restarted(): void {
    this.#isListening = true
  }

  /** A connection that was there before, and is idle. */
  accepted(at: number): Connection {
    const connection: Connection = { idleSince: at, closedAt: never }
    this.#idle.push(connection)
    return connection
  }

  /**
   * A kept connection on which its peer sends at this time. `"Crossed"`: the server has closed it, and the peer does not
   * know yet.
   */
  take(at: number): Connection | "Crossed" | undefined {
    for (let connection = this.#idle.pop(); connection !== undefined; connection = this.#idle.pop()) {
      const state = this.#stateOf(connection, at)
      if (state === "Open") return connection
      if (state === "Crossed") return state
    }
    return undefined
  }

  /** The same of the connection of one client. */
  takeOwn(connection: Connection, at: number): "Open" | "Crossed" | "Closed" {
    const nth = this.#idle.indexOf(connection)
    if (nth >= 0) this.#idle.splice(nth, 1)
    return this.#stateOf(connection, at)
  }

  begin(request: InFlight, at: number): void {
    this.#inFlight.add(request)
    this.#lastUse = at
  }

  /** Whether the connection may be used again. */
  answered(request: InFlight, connection: Connection | undefined, at: number): boolean {
    this.#inFlight.delete(request)
    this.#lastUse = at
    const isKept = connection !== undefined && !this.#lifecycle.asksToLeave
    if (isKept) {
      connection.idleSince = at
      this.#idle.push(connection)
    }
    if (!this.#isListening) this.#look(at)
    return isKept
  }

  #drain(at: number): void {
    const { stop } = this.#fleet
    if (this.#hasEnded || stop._tag !== "Drain") return
    const { idleGrace, newConnectionGrace, timeout } = stop.policy
    this.#isListening = false
    this.#lifecycle = advance(advance(this.#lifecycle, { to: "ClosingListeners" }), {
      to: "Draining",
      grace: { idle: idleGrace, newConnection: newConnectionGrace, since: at }
    })
    this.#queue.add(at + timeout, (at) => {
      this.#lifecycle = advance(this.#lifecycle, { to: "Aborting" })
      this.#end(at, false)
    })
    this.#look(at)
  }

  /** Closes what is due, and ends when nothing is left. */
  #look(at: number): void {
    if (this.#hasEnded) return
    let next = never
    for (const connection of this.#idle) {
      if (this.#stateOf(connection, at) === "Open") next = Math.min(next, this.#openUntil(connection))
    }
    if (next < never) {
      if (this.#nextLook > at && this.#nextLook <= next) return
      this.#nextLook = next
      this.#queue.add(next, (at) => this.#look(at))
    } else if (this.#inFlight.size === 0) this.#end(at, false)
  }

  #end(at: number, wasKilled: boolean): void {
    if (this.#hasEnded) return
    this.#hasEnded = true
    this.#isDying = false
    this.#isListening = false
    this.#observer.onNotReady(at)
    for (const connection of this.#idle) this.#closeIfOpen(connection, at)
    const cut = [...this.#inFlight]
    this.#inFlight.clear()
    for (const request of cut) request.onCut(at)
    this.#observer.onEnd(at, wasKilled)
  }

  #closeIfOpen(connection: Connection, at: number): void {
    if (this.#stateOf(connection, at) === "Open") connection.closedAt = at
  }

  #stateOf(connection: Connection, at: number): "Open" | "Crossed" | "Closed" {
    if (connection.closedAt === never) {
      const until = this.#serverUntil(connection)
      // its peer has closed it, or the server has
      if (connection.idleSince + this.#fleet.balancer.idleTimeout <= Math.min(at, until)) connection.closedAt = -never
      else if (until <= at) connection.closedAt = until
      else return "Open"
    }
    return at < connection.closedAt + this.#fleet.balancer.roundTrip ? "Crossed" : "Closed"
  }

  #openUntil(connection: Connection): number {
    return Math.min(this.#serverUntil(connection), connection.idleSince + this.#fleet.balancer.idleTimeout)
  }

  #serverUntil({ idleSince }: Connection): number {
    const announced = () => announcedMillis(this.#fleet.keepAliveTimeout)
    const always = idleUntil(keptAlive, idleSince, this.#lastUse, announced)
    const { grace } = this.#lifecycle
    return grace === undefined ? always : Math.min(always, idleUntil(grace, idleSince, this.#lastUse, announced))
  }
}
