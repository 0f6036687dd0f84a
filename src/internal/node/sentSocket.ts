/**
 * A socket that is sent to another process (`child.send(message, socket)`): Node takes its handle away, and says so to
 * nobody. The object that is left is neither destroyed nor closed, ever.
 *
 * On its way Node calls `_setupWorker` of the server that has accepted it, the first time for each child, and then
 * `setTimeout(0)` of each socket, which is where we hear of it. So a server that sends none pays for nothing, and one
 * that does for each connection.
 */
import type * as Net from "node:net"
import { hasNoHandle } from "./internals.js"
import * as Patch from "./patch.js"
import { nextTick } from "./timers.js"

/** Its handle is somebody else's, whether it was sent or taken by hand. */
export const isTaken = (socket: Net.Socket): boolean => hasNoHandle(socket) && !socket.destroyed && !socket.connecting

/** Runs `onTaken` when a socket is sent away. */
export const whenTaken = (socket: Net.Socket, onTaken: (socket: Net.Socket) => void): void => {
  const { setTimeout } = socket
  if (Object.hasOwn(socket, "setTimeout")) return
  const restore = Patch.socketSetTimeout(socket, function(this: Net.Socket, ...args) {
    Reflect.apply(setTimeout, this, args)
    if (args[0] === 0 && isTaken(this)) {
      restore()
      onTaken(this)
    }
    return this
  })
}

/** Runs `onFirst` when a server has begun to send sockets to another process. */
export const whenSending = (server: Net.Server, onFirst: () => void): Patch.Restore =>
  // the one that is sent now still has its handle
  Patch.setupWorker(server, () => nextTick(onFirst))
