/**
 * Not reading from a connection of Node's HTTP/1.1 server for a while. `pause` alone does not do: Node resumes a socket
 * as a body is read, or as what it has kept of earlier answers leaves. That comes as a `resume` event, before anything
 * is read. Node's own pauses (`socket._paused`: more output is queued than it takes) stand beside ours: both must be
 * over. Where a Node says nothing of its pauses, reading merely goes on.
 */
import * as Net from "node:net"
import { getSystemErrorName } from "node:util"
import { isPausedByNode } from "./paused.js"
import { readWithoutParser } from "./unusedUpgrade.js"

export const stopReading = (socket: Net.Socket): void => {
  socket.on("resume", stayStopped)
  socket.pause()
}

export const readOn = (socket: Net.Socket): void => {
  socket.off("resume", stayStopped)
  // where the parser does not read by itself, what comes during a pause of Node's is an error; Node ends that pause
  if (!isPausedByNode(socket)) socket.resume()
}

/**
 * Its connection is about to be destroyed, and nothing more is written to it: what has come and was not read is read and
 * thrown away. False where it is read anyway.
 */
export const discardUnread = (socket: Net.Socket): boolean => {
  const { _handle: handle } = socket as Inner
  if (handle?.reading !== false || typeof handle.readStart !== "function") return false
  // what Node makes of the answers that it has kept goes nowhere
  socket.write = () => true
  // Node's parser lets go of the handle for whoever listens
  socket.removeAllListeners("data").removeAllListeners("resume").on("data", noop).resume()
  handle.reading = true
  handle.readStart()
  return true
}

/** It is handed over to somebody who reads as they like. */
export const letRead = (socket: Net.Socket): void => {
  socket.off("resume", stayStopped)
}

/**
 * Over TLS, the rest of what has been decrypted is handed to the parser after reading has stopped. Node pauses its parser
 * as well, which takes what comes then for an error (`HPE_PAUSED`), and closes the connection with answers on their way
 * (seen in Node 20). That pause stands for nothing: what is not read does not come to the parser.
 */
export const keepParsing = (socket: Net.Socket): void => {
  const { parser } = socket as { readonly parser?: { pause?: () => void } | null }
  if (typeof parser?.pause === "function") parser.pause = noop
}

const noop = () => {}

function stayStopped(this: Net.Socket): void {
  this.pause()
}

interface Handle {
  reading?: boolean
  readonly readStart?: () => number
  readonly getpeername?: (out: object) => number
}

interface Inner {
  readonly _handle?: Handle | null
  readonly _readableState?: { readonly ended?: boolean }
  readonly parser?: { readonly _consumed?: boolean } | null
  readonly server?: { readonly httpAllowHalfOpen?: boolean }
}

/** Beyond this, nothing more is read ahead. What is read at once is up to 64 KiB as well. */
const aheadBytes = 65_536

/**
 * Whether the client has left, of a connection whose reading has been stopped: it is closed then, as Node closes one
 * whose end it has read. To be asked again and again.
 *
 * The end lies behind what the client has sent before it, and only who reads comes to know of it. So reading goes on
 * without the parser, into the buffer of the socket: what is there is parsed when reading is allowed again. Once there is
 * too much of it only a reset is noticed, which the kernel tells who asks for the peer's name.
 */
export const hasLeft = (socket: Net.Socket): boolean => {
  const { _handle: handle, _readableState: readable, server } = socket as Inner
  if (socket.destroyed || handle === null || handle === undefined) return true
  if (isReset(handle)) {
    socket.destroy(Object.assign(new Error("read ECONNRESET"), { code: "ECONNRESET", syscall: "read" }))
    return true
  }
  if (readable?.ended === true) {
    // with nothing before it, the end has been told
    if (socket.readableLength === 0 || server?.httpAllowHalfOpen === true) return false
    // not that of a drain, which reads on to an end that has come
    Net.Socket.prototype.destroySoon.call(socket)
    return true
  }
  if (!readsIntoBuffer(socket) || handle.reading === true) return false
  // `read(0)` does nothing: for the stream, the read that the parser took over is under way
  if (socket.readableLength < aheadBytes && typeof handle.readStart === "function") {
    handle.reading = true
    handle.readStart()
  }
  return false
}

/** Linux says ENOTCONN, and macOS EINVAL. */
const isReset = (handle: Handle): boolean => {
  const error = handle.getpeername?.({}) ?? 0
  return error < 0 && ["ENOTCONN", "EINVAL"].includes(getSystemErrorName(error))
}

/** The parser reads from the handle by itself, until somebody listens for what is read. */
const readsIntoBuffer = (socket: Net.Socket): boolean => {
  const { parser } = socket as Inner
  if (parser?._consumed === true && socket.readableFlowing === false) readWithoutParser(socket)
  return parser?._consumed === false && socket.readableFlowing === false
}
