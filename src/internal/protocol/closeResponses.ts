/**
 * Tells the responses of a connection that it has closed.
 */
import type * as Http from "node:http"
import { nextTick, setImmediate } from "../node/timers.js"

/** How many are told in a turn of the event loop: whoever listens for the close of one gives up a piece of work. */
const batch = 64

export const closeResponses = (responses: ReadonlyArray<Http.ServerResponse>, from = 0): void => {
  const to = from + batch
  for (const response of responses.slice(from, to)) {
    response.destroy()
    nextTick(emitClose, response)
  }
  if (to < responses.length) setImmediate(closeResponses, responses, to)
}

/** Since Node 24 it is said by `destroy`, in the next tick; before, of a response that waits for its turn, by nobody. */
const emitClose = (response: Http.ServerResponse): void => {
  if (!response.closed) response.emit("close")
}
