/**
 * What it means that other code closes a Node server by hand. One of several that a server listens with closes alone
 * (Go's rule B6): the others, and the connections that it has, are served on. The last one, and one that was adopted,
 * take the server with them.
 */
import * as Effect from "effect/Effect"
import type { NodeServer } from "../model/listener.js"
import type { BoundListener } from "./listener.js"

export interface ByHand {
  readonly listensWith: (node: NodeServer, bound: BoundListener) => void
  /** It closes, or has closed, by whatever way. */
  readonly ending: (bound: BoundListener) => void
  /** What closes this Node server alone: nothing, where the whole server is to shut down. */
  readonly alone: (node: NodeServer) => Effect.Effect<void> | undefined
}

export const make = (listeners: ReadonlySet<BoundListener>): ByHand => {
  const listened = new WeakMap<NodeServer, BoundListener>()
  const over = new WeakSet<BoundListener>()
  return {
    listensWith: (node, bound) => {
      listened.set(node, bound)
    },
    ending: (bound) => {
      over.add(bound)
    },
    alone: (node) => {
      const bound = listened.get(node)
      if (bound === undefined) return undefined
      if (!Array.from(listeners).some((other) => other !== bound && !over.has(other))) return undefined
      if (over.has(bound)) return Effect.void
      over.add(bound)
      return bound.close
    }
  }
}
