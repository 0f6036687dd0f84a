/**
 * A connection on which the client's first piece goes out at once, and the others when the gate opens: a handshake that
 * is under way for as long as one likes.
 */
import type * as Net from "node:net"
import { Duplex } from "node:stream"

export class Gate extends Duplex {
  readonly #socket: Net.Socket
  readonly #held: Array<() => void> = []
  #isOpen = false
  #pieces = 0

  constructor(socket: Net.Socket) {
    super()
    this.#socket = socket
    socket.on("data", (chunk: Buffer) => {
      if (!this.push(chunk)) socket.pause()
    })
    socket.once("end", () => this.push(null))
    socket.once("error", (error) => this.destroy(error))
    socket.once("close", () => this.destroy())
  }

  open(): void {
    this.#isOpen = true
    for (const write of this.#held.splice(0)) write()
  }

  override _read(): void {
    this.#socket.resume()
  }

  override _write(chunk: Buffer, _: BufferEncoding, callback: (error?: Error | null) => void): void {
    const write = () => void this.#socket.write(chunk, callback)
    if (this.#isOpen || this.#pieces++ === 0) write()
    else this.#held.push(write)
  }

  override _final(callback: () => void): void {
    this.#socket.end(callback)
  }

  override _destroy(error: Error | null, callback: (error: Error | null) => void): void {
    this.#socket.destroy()
    callback(error)
  }
}
