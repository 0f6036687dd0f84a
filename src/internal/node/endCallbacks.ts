/**
 * Node internals: where Node keeps what `response.end(…, callback)` was given until the response has been sent. Of a
 * response that is destroyed before, Node calls none of them while it holds the answer back (pipelining). Up to Node 22
 * they are `once` listeners of `finish`, since Node 24.2x an array under a symbol of its own.
 */
import { hidden } from "./symbols.js"

interface Ended {
  readonly rawListeners: (event: string) => ReadonlyArray<unknown>
}

/** Calls back whoever waits for the end of a response that will never be sent; each once. */
export const callEndCallbacks = (response: Ended): void => {
  for (const listener of response.rawListeners("finish")) {
    // only the wrapper of a `once` listener has a `listener`, and it takes itself off
    if (typeof listener === "function" && "listener" in listener) listener.call(response)
  }
  const kept = hidden(response, "kEndCallbacks")
  if (!Array.isArray(kept)) return
  for (const callback of kept.splice(0)) if (typeof callback === "function") callback.call(response)
}
