/**
 * Not reading from a connection of Node's HTTP/1.1 server for a while. `pause` alone does not do: Node resumes a socket
 * as a body is read, or as what it has kept of earlier answers leaves. That comes as a `resume` event, before anything
 * is read. Node's own pauses, while more output is queued than it takes, stand beside ours: both must be over.
 */
import * as Net from "node:net"
import {
  allowsHalfOpen,
  hasNoHandle,
  hasReadEnd,
  isPausedByNode,
  isReading,
  isReset,
  parserOf,
  readsByItself
} from "./internals.js"
import * as Patch from "./patch.js"
import { setImmediate } from "./timers.js"
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
 * Calls back once the pause is over that Node has made, and what has come meanwhile has been read. Node ends it in the
 * middle of a turn of the event loop, and reads in the next one.
 */
export const afterPauseOfNode = (socket: Net.Socket, then: () => void): void => {
  const onResume = () => {
    if (isPausedByNode(socket)) return
    socket.off("resume", onResume)
    afterNextRead(then)
  }
  socket.on("resume", onResume)
}

/** Calls back when what has come by now to a socket that reads has been read: the next turn reads it. */
export const afterNextRead = (then: () => void): void => void setImmediate(setImmediate, then)

/**
 * Its connection is about to be destroyed, and nothing more is written to it: what has come and was not read is read and
 * thrown away. False where it is read anyway.
 */
export const discardUnread = (socket: Net.Socket): boolean => {
  if (isReading(socket) !== false) return false
  Patch.dropWrites(socket)
  // Node's parser lets go of the handle for whoever listens
  socket.removeAllListeners("data").removeAllListeners("resume").on("data", noop).resume()
  Patch.startReading(socket)
  return true
}

/** It is handed over to somebody who reads as they like. */
export const letRead = (socket: Net.Socket): void => {
  socket.off("resume", stayStopped)
}

/**
 * Over TLS, the rest of what has been decrypted is handed to the parser after reading has stopped: it must not take that
 * for an error, which would close the connection with answers on their way. Until it has closed, or what is returned is
 * called: its parser is another connection's then.
 */
export const keepParsing = (socket: Net.Socket): () => void => {
  const restore = Patch.parserPause(parserOf(socket))
  const stop = () => {
    socket.off("close", stop)
    restore()
  }
  socket.on("close", stop)
  return stop
}

const noop = () => {}

function stayStopped(this: Net.Socket): void {
  this.pause()
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
  if (socket.destroyed || hasNoHandle(socket)) return true
  if (isReset(socket)) {
    socket.destroy(Object.assign(new Error("read ECONNRESET"), { code: "ECONNRESET", syscall: "read" }))
    return true
  }
  if (hasReadEnd(socket)) {
    // with nothing before it, the end has been told
    if (socket.readableLength === 0 || allowsHalfOpen(socket)) return false
    // not that of a drain, which reads on to an end that has come
    Net.Socket.prototype.destroySoon.call(socket)
    return true
  }
  if (!readsIntoBuffer(socket) || isReading(socket) === true) return false
  // `read(0)` does nothing: for the stream, the read that the parser took over is under way
  if (socket.readableLength < aheadBytes) Patch.startReading(socket)
  return false
}

/** The parser reads from the handle by itself, until somebody listens for what is read. */
const readsIntoBuffer = (socket: Net.Socket): boolean => {
  const parser = parserOf(socket)
  if (parser === undefined || socket.readableFlowing !== false) return false
  if (readsByItself(parser) === true) readWithoutParser(socket)
  return readsByItself(parser) === false
}
