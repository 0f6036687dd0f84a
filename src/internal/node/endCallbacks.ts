/**
 * Node internals: where Node keeps what `response.end(…, callback)` was given until the response has been sent. Of a
 * response that is destroyed before, Node calls none of them while it holds the answer back (pipelining). Up to Node 22
 * they are `once` listeners of `finish`, since Node 24.2x an array under a symbol of its own.
 */
import { symbolNamed } from "./symbols.js"
import { nextTick } from "./timers.js"

interface Ended {
  readonly rawListeners: (event: string) => ReadonlyArray<unknown>
}

/** Calls back whoever waits for the end of a response that will never be sent; each once. */
export const callEndCallbacks = (response: Ended): void => {
  for (const listener of response.rawListeners("finish")) {
    // only the wrapper of a `once` listener has a `listener`, and it takes itself off
    if (typeof listener === "function" && "listener" in listener) listener.call(response)
  }
  const kept = symbolNamed(response, "kEndCallbacks")
  if (!Array.isArray(kept)) return
  for (const callback of kept.splice(0)) if (typeof callback === "function") callback.call(response)
}

/** What of a response is needed to end it, in either version of HTTP. */
interface Ending {
  readonly writableEnded: boolean
  readonly rawListeners: (event: string) => ReadonlyArray<unknown>
  end: (...args: Array<never>) => unknown
}

/**
 * `response.end(body, callback)` never calls back once the response has been destroyed, and `@effect/platform-node`
 * waits for it: the request fiber and its scope would never end.
 */
export const completeEnd = (response: Ending): void => {
  if (response.writableEnded) return callEndCallbacks(response)
  const { end } = response
  response.end = (...args: ReadonlyArray<unknown>) => {
    const callback = args.find((arg) => typeof arg === "function")
    if (callback !== undefined) nextTick(callback)
    // it has to know that it has ended: whoever finds that it has not writes its head again
    end.call(response)
    return response
  }
}
