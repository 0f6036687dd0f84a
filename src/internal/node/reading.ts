/**
 * Not reading from a connection of Node's HTTP/1.1 server for a while. `pause` alone does not do: Node resumes a socket
 * as a body is read, or as what it has kept of earlier answers leaves. That comes as a `resume` event, before anything
 * is read. Node's own pauses (`socket._paused`: more output is queued than it takes) stand beside ours: both must be
 * over. Where a Node says nothing of its pauses, reading merely goes on.
 */
import type * as Net from "node:net"

export const stopReading = (socket: Net.Socket): void => {
  socket.on("resume", stayStopped)
  socket.pause()
}

export const readOn = (socket: Net.Socket): void => {
  socket.off("resume", stayStopped)
  socket.resume()
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

/** Node reads no further requests while a pipelined client has more answers to come than it takes. */
export const isPausedByNode = (socket: Net.Socket): boolean =>
  (socket as { readonly _paused?: boolean })._paused === true
