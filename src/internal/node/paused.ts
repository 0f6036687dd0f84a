import type * as Net from "node:net"

/** Node reads no further requests while a pipelined client has more answers to come than it takes. */
export const isPausedByNode = (socket: Net.Socket): boolean =>
  (socket as { readonly _paused?: boolean })._paused === true
