/**
 * The ways in which other code closes a Node server that is ours. `close` begins our shutdown, or joins it, and one of
 * several closes alone; `closeIdleConnections` closes what is idle by our rules; in a shutdown, none of them cuts what is
 * owed. Frameworks, socket.io, test helpers, `Symbol.asyncDispose` and `cluster.worker.disconnect()` all come down to
 * these three methods.
 */
import * as Net from "node:net"
import { promisify } from "node:util"
import type { NodeServer } from "../model/listener.js"
import * as Patch from "../node/patch.js"
import { setImmediate } from "../node/timers.js"

/** What other code wants of a server that is ours, and what the server says to that. */
export interface ClosedByOthers {
  /** Answers ask their clients to leave. */
  readonly isClosing: () => boolean
  /** A shutdown has begun. */
  readonly isStopping: () => boolean
  /** Other code wants the server closed. */
  readonly nodeCloseCalled: () => void
  /** Other code wants those of its connections closed that are idle. */
  readonly closeIdle: () => void
  /** Other code wants all of its connections closed, outside of a shutdown. */
  readonly closeAll: (close: () => void) => void
}

/** Where a Node server is in its life. */
export interface Life {
  /** It is still being made to listen: until it does, to close it is to give that up. */
  readonly isComing: () => boolean
  /** It has never listened, or has told of its end: nobody but who closes it again will tell of that. */
  readonly isOver: () => boolean
}

/** Stands in for them as long as the server is ours. */
export const replaceClosing = (
  server: NodeServer,
  watcher: ClosedByOthers,
  life: Life
): ReadonlyArray<Patch.Restore> => {
  const { close } = server
  const closeAll = "closeAllConnections" in server ? server.closeAllConnections : undefined
  return [
    Patch.serverDispose(server, dispose(server)),
    Patch.serverClose(server, function(callback) {
      if (life.isComing()) {
        Reflect.apply(close, server, callback === undefined ? [] : [callback])
        return this
      }
      notify(server, callback)
      watcher.nodeCloseCalled()
      if (life.isOver()) emitClose(server)
      return this
    }),
    // Node takes one for idle whose answer has not left yet; and in a drain, what has not been looked at is not idle
    Patch.closeIdleConnections(server, () => {
      if (!watcher.isClosing()) watcher.closeIdle()
    }),
    Patch.closeAllConnections(server, () => {
      // whoever goes on to `close` the server wants it to stop
      setImmediate(() => {
        if (!watcher.isStopping()) watcher.closeAll(() => closeAll?.call(server))
      })
    })
  ]
}

/**
 * `close` of a server that has closed, until it listens again: it succeeds, and tells so as Node does, so that what
 * follows in a `close` of somebody else's has its turn. After that it is Node's own again.
 */
export const replaceClosed = (server: NodeServer): void => {
  const restores = [
    Patch.serverDispose(server, dispose(server)),
    Patch.serverClose(server, function(callback) {
      if (server.listening) {
        for (const restore of restores) restore()
        Reflect.apply(server.close, server, callback === undefined ? [] : [callback])
      } else {
        notify(server, callback)
        emitClose(server)
      }
      return this
    })
  ]
}

const dispose = (server: NodeServer) => async () =>
  promisify((done: (error?: Error) => void) => void server.close(done))()

const notify = (server: NodeServer, callback: unknown): void => {
  if (typeof callback === "function") server.once("close", () => callback())
}

/** Once its last connection has gone. */
const emitClose = (server: NodeServer): void => {
  Net.Server.prototype.close.call(server)
}
