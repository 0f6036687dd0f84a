/**
 * `idleGrace: "keepAliveTimeout"` keeps an idle connection for as long as its last response has promised. Where that is longer
 * than `timeout`, every stop with an idle client takes all of it.
 */
import * as Effect from "effect/Effect"
import * as Line from "../log/line.js"
import type { NodeServer } from "../model/listener.js"
import { printMillis } from "../model/text.js"
import { promiseMillis, type ResolvedPolicy } from "../policy/policy.js"

export interface KeepAliveGrace {
  /** The server listens: says so once if its promise is longer than the timeout. */
  readonly check: (node: NodeServer) => Effect.Effect<void>
  /** A shutdown begins: the promise of a server may have been changed since. */
  readonly checkAll: Effect.Effect<void>
}

export const make = ({ idleGrace, timeout }: ResolvedPolicy): KeepAliveGrace => {
  const nodes = new Set<NodeServer>()
  let hasSaid = false
  const check = (node: NodeServer): Effect.Effect<void> =>
    Effect.suspend(() => {
      nodes.add(node)
      // 0: it promises nothing
      const promised = "keepAliveTimeout" in node ? node.keepAliveTimeout : 0
      const needed = promised + promiseMillis
      if (hasSaid || idleGrace !== "keepAliveTimeout" || promised <= 0 || needed <= timeout) return Effect.void
      hasSaid = true
      return Line.warning(
        `idleGrace is "keepAliveTimeout" and the keepAliveTimeout of the Node server is ${
          printMillis(promised)
        }, but timeout is `
          + `${printMillis(timeout)}: a stop with an idle client takes all of that. Raise timeout to ${
            printMillis(needed)
          }, lower `
          + "keepAliveTimeout, or set idleGrace to a duration",
        { event: "KeepAliveExceedsTimeout", keepAliveMillis: promised, timeoutMillis: timeout }
      )
    })
  return {
    check,
    checkAll: Effect.suspend(() => Effect.forEach([...nodes], check, { discard: true }))
  }
}
