/**
 * What `response.end(…, callback)` was given. Of a response that is destroyed before it has been sent, Node calls none of
 * them while it holds the answer back (pipelining).
 */
import { endCallbacksOf } from "./internals.js"
import * as Patch from "./patch.js"
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
  for (const callback of endCallbacksOf(response)?.splice(0) ?? []) {
    if (typeof callback === "function") callback.call(response)
  }
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
  Patch.end(response, (...args) => {
    const callback = args.find((arg) => typeof arg === "function")
    if (callback !== undefined) nextTick(callback)
    // it has to know that it has ended: whoever finds that it has not writes its head again
    end.call(response)
    return response
  })
}
