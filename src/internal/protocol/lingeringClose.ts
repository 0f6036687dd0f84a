/**
 * How a connection of HTTP/1.1 closes after its last response.
 */
import * as Net from "node:net"
import { connectionOf } from "../core/connection.js"

/**
 * What stands in for the `destroySoon` that Node calls after the last response of a connection. Node closes as soon as
 * the kernel has the bytes; if the peer has sent anything more by then, the kernel answers with a RST that destroys
 * what it had not delivered yet. So we end our side and read on, until the peer has closed its own (Go's rule C11).
 */
export const lingeringClose = (isMidAnswer: () => boolean) =>
  function(this: Net.Socket): void {
    const connection = connectionOf(this)
    // keep-alives are on again: nothing is watching over those that linger
    if (connection?.registry.lifecycle.asksToLeave !== true || isMidAnswer()) {
      return Net.Socket.prototype.destroySoon.call(this)
    }
    this.end()
    connection.linger()
  }
