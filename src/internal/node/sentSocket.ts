/**
 * A socket that is sent to another process (`child.send(message, socket)`): Node takes its handle away, and says so to
 * nobody. The object that is left is neither destroyed nor closed, ever.
 *
 * On its way Node calls `_setupWorker` of the server that has accepted it, the first time for each child, and then
 * `setTimeout(0)` of each socket. So a server that sends none pays for nothing, and one that does for each connection.
 */
import type * as Net from "node:net"
import { nextTick } from "./timers.js"

/** Its handle is somebody else's, whether it was sent or taken by hand. */
export const isTaken = (socket: Net.Socket): boolean =>
  (socket as { readonly _handle?: unknown })._handle === null && !socket.destroyed && !socket.connecting

/** Runs `onTaken` when a socket is sent away. */
export const whenTaken = (socket: Net.Socket, onTaken: (socket: Net.Socket) => void): void => {
  const { setTimeout } = socket
  if (Object.hasOwn(socket, "setTimeout")) return
  socket.setTimeout = function(this: Net.Socket, ...args) {
    Reflect.apply(setTimeout, this, args)
    if (args[0] === 0 && isTaken(this)) {
      Reflect.deleteProperty(this, "setTimeout")
      onTaken(this)
    }
    return this
  }
}

/** The property of a server to set, so that `onFirst` runs when it has begun to send sockets to another process. */
export const sendsOf = (
  server: Net.Server,
  onFirst: () => void
): ReadonlyArray<readonly [name: string, value: unknown]> => {
  const { _setupWorker: setupWorker } = server as { readonly _setupWorker?: unknown }
  if (typeof setupWorker !== "function") return []
  return [["_setupWorker", function(this: Net.Server, ...args: ReadonlyArray<unknown>) {
    // the one that is sent now still has its handle
    nextTick(onFirst)
    return Reflect.apply(setupWorker, this, args)
  }]]
}
