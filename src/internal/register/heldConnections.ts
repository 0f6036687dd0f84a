/**
 * A server listens before what drains it has been loaded: until then, the connections that it accepts wait.
 */
import type * as Net from "node:net"
import * as Patch from "../node/patch.js"

export interface HeldConnections {
  /** The server emits what it emits again. */
  readonly stop: () => void
  /** Those that have come meanwhile. */
  readonly deliver: () => void
}

export const holdConnections = (server: Net.Server): HeldConnections => {
  const held: Array<Net.Socket> = []
  const { emit } = server
  let isHolding = true
  let isOnTop = true
  const holding = function(this: Net.Server, ...args: ReadonlyArray<unknown>): boolean {
    if (!isHolding || args[0] !== "connection") return Reflect.apply(emit, this, args)
    const socket = args[1] as Net.Socket
    // nobody else listens yet, and its reset would end the process
    held.push(socket.on("error", ignore))
    return true
  }
  const restore = Patch.serverEmit(server, holding)
  return {
    stop: () => {
      isHolding = false
      isOnTop = server.emit === holding
      restore()
    },
    deliver: () => {
      for (const socket of held.splice(0)) {
        // whoever has put an `emit` over ours has seen what came through it
        if (!socket.destroyed) Reflect.apply(isOnTop ? server.emit : emit, server, ["connection", socket])
        socket.off("error", ignore)
      }
    }
  }
}

const ignore = () => {}
