/**
 * Background work of a program without Effect: promises that a drain waits for, and workers that are told when to stop.
 */
import * as Cause from "effect/Cause"
import type { BackgroundEnd, BackgroundTask } from "../model/background.js"
import { InvalidPolicy, ServerClosed } from "../model/errors.js"
import type { Server, Worker } from "../model/promise.js"
import * as Given from "../policy/validateFunction.js"

/** What keeps it. */
export interface Tasks {
  readonly add: (name: string, interrupt: () => void) => BackgroundTask | undefined
  /** It fails, and was not taken in. */
  readonly fail: (name: string, cause: Cause.Cause<unknown>) => void
}

export interface PlainBackground extends Pick<Server, "track" | "worker"> {
  /** A shutdown has begun: workers are to take in nothing more. */
  readonly stop: () => void
}

export const make = (tasks: Tasks): PlainBackground => {
  const workers = new Set<AbortController>()
  let isStopping = false
  return {
    track: (name, promise) => {
      validateName("track", name)
      validatePromise(name, promise)
      const task = tasks.add(name, () => {})
      // it has begun, and nobody else may look at it: refused or not, it is no unhandled rejection
      Promise.resolve(promise).then(
        () => task?.end({ _tag: "Completed" }),
        (error: unknown) => task === undefined ? tasks.fail(name, Cause.fail(error)) : task.end(failed(error))
      )
      if (task === undefined) throw refused(name)
    },
    worker: (name, run) => {
      validateName("worker", name)
      Given.aFunction(`worker "${name}"`, run, `a function: worker("${name}", async (signal, deadline) => …)`)
      const [stopping, deadline] = [new AbortController(), new AbortController()]
      const task = tasks.add(name, () => deadline.abort())
      if (task === undefined) throw refused(name)
      if (isStopping) stopping.abort()
      workers.add(stopping)
      const end = (end: BackgroundEnd) => {
        workers.delete(stopping)
        task.end(end)
      }
      started(run, stopping.signal, deadline.signal).then(
        () => end({ _tag: task.isInterrupted ? "Interrupted" : "Completed" }),
        (error: unknown) =>
          end(
            isAbort(error) && task.isInterrupted
              ? { _tag: "Interrupted" }
              // what was waiting for something to take in, with the signal
              : isAbort(error) && stopping.signal.aborted
              ? { _tag: "Completed" }
              : failed(error)
          )
      )
    },
    stop: () => {
      isStopping = true
      for (const stopping of workers) stopping.abort()
    }
  }
}

const started = async (run: Worker, signal: AbortSignal, deadline: AbortSignal): Promise<unknown> =>
  run(signal, deadline)

const refused = (name: string): ServerClosed => new ServerClosed({ operation: `background work "${name}"` })

const failed = (error: unknown): BackgroundEnd => ({ _tag: "Failed", cause: Cause.fail(error) })

/** What Node's own functions reject with when their signal is aborted. */
const isAbort = (error: unknown): boolean => error instanceof Error && error.name === "AbortError"

const validateName = (method: string, name: unknown): void => {
  if (typeof name === "string") return
  throw new InvalidPolicy({
    field: "name of background work",
    value: name,
    expected: `a text, and the work comes after it: ${method}("orders", …)`
  })
}

const validatePromise = (name: string, promise: unknown): void => {
  if (typeof promise === "object" && promise !== null && "then" in promise && typeof promise.then === "function") return
  throw new InvalidPolicy({
    field: `work "${name}"`,
    value: promise,
    expected: `a promise: track("${name}", fulfil(order)); a function is for worker("${name}", …)`
  })
}
