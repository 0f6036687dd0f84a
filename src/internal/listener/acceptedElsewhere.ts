/**
 * The open connections of a Node server that another one has accepted and passed on to it. Node counts them where they
 * were accepted, and does not wait for them to tell of the end of the server that has them.
 */
import type * as Net from "node:net"
import { acceptedBy, rawSocketOf } from "../node/internals.js"
import { isTaken } from "../node/sentSocket.js"

export class AcceptedElsewhere {
  readonly #server: Net.Server
  readonly #open = new Set<Net.Socket>()
  #whenNone: (() => void) | undefined = undefined

  constructor(server: Net.Server) {
    this.#server = server
  }

  /** The server has been given a connection, by Node or by others. */
  add(socket: Net.Socket): void {
    if (acceptedBy(rawSocketOf(socket) ?? socket) === this.#server || this.#open.has(socket)) return
    this.#open.add(socket)
    socket.once("close", () => {
      this.#open.delete(socket)
      this.#check()
    })
  }

  /** Calls `done`, once, when none of them is open. */
  whenNone(done: () => void): void {
    this.#whenNone = done
    this.#check()
  }

  #check(): void {
    const done = this.#whenNone
    if (done === undefined) return
    // what was sent to another process never closes here
    for (const socket of this.#open) if (isTaken(socket)) this.#open.delete(socket)
    if (this.#open.size > 0) return
    this.#whenNone = undefined
    done()
  }
}
