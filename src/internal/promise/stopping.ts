/**
 * What a program without Effect is told when a shutdown begins.
 */
import * as Effect from "effect/Effect"
import { setMaxListeners } from "node:events"
import { holdOutputs } from "../log/outputs.js"
import { inOwnContext } from "../node/asyncContext.js"
import type { RunningServer } from "./plainServer.js"

export interface Stopping {
  /** Aborted when a shutdown begins. */
  readonly signal: AbortSignal
  /** All is over: outputs that fail are the program's own matter again. */
  readonly over: () => void
}

/** `first` is called before the program is told. */
export const stopping = ({ begin, server }: RunningServer, first: () => void, then: () => void): Stopping => {
  const controller = new AbortController()
  setMaxListeners(0, controller.signal)
  let releaseOutputs = () => {}
  const begins = inOwnContext(() => {
    releaseOutputs = holdOutputs()
    first()
    controller.abort()
    then()
  })
  begin(Effect.zipRight(server.shuttingDown, Effect.sync(begins)))
  return { signal: controller.signal, over: () => releaseOutputs() }
}
