/**
 * Waits with a name and a limit: a failure says what was waited for, and what it last saw.
 */
import { loadavg } from "node:os"

/** Thrown by {@link waitFor}; its message names what did not happen, and within what. */
export class WaitTimedOut extends Error {
  readonly label: string
  readonly limitMs: number
  constructor(label: string, limitMs: number, busy: string) {
    super(`waited ${limitMs} ms for ${label} (${busy})`)
    this.name = "WaitTimedOut"
    this.label = label
    this.limitMs = limitMs
  }
}

/** How busy the machine is, and how much of it this process has had: something may not have happened for want of it. */
const busySince = (): () => string => {
  const before = process.cpuUsage()
  return () => {
    const { system, user } = process.cpuUsage(before)
    return `${Math.round((system + user) / 1000)} ms of them on a processor, at a load of ${loadavg()[0]?.toFixed(1)}`
  }
}

type Label = string | (() => string)

const named = (label: Label): string => typeof label === "string" ? label : label()

/**
 * Waits for a promise, or polls a predicate until it returns something truthy, and returns that.
 * A label that is a function is evaluated when the wait fails, so that it can tell what was seen instead.
 */
export function waitFor<A>(label: Label, promise: PromiseLike<A>, limitMs: number): Promise<A>
export function waitFor<A>(label: Label, predicate: () => A, limitMs: number): Promise<Exclude<A, Falsy>>
export function waitFor<A>(label: Label, what: PromiseLike<A> | (() => A), limitMs: number): Promise<A> {
  return new Promise<A>((resolve, reject) => {
    const settle = (f: () => void) => {
      stopClock()
      clearInterval(poll)
      f()
    }
    const busy = busySince()
    const stopClock = countTime(limitMs, () => settle(() => reject(new WaitTimedOut(named(label), limitMs, busy()))))
    let poll: NodeJS.Timeout | undefined
    if (typeof what !== "function") {
      what.then((value) => settle(() => resolve(value)), (cause) => settle(() => reject(cause)))
      return
    }
    const check = () => {
      try {
        const value = what()
        if (value) settle(() => resolve(value))
      } catch (cause) {
        settle(() => reject(cause))
      }
    }
    poll = setInterval(check, 2)
    check()
  })
}

/**
 * Calls back after that much time in which this process could run, unless it is stopped. Where it has no processor, what
 * is waited for has none either: a tick that comes late counts for no more than two.
 */
const countTime = (limitMs: number, over: () => void): () => void => {
  let timer: NodeJS.Timeout
  const run = (left: number) => {
    const millis = Math.min(left, tickMs)
    const begun = performance.now()
    timer = setTimeout(() => {
      const rest = left - Math.min(performance.now() - begun, 2 * millis)
      if (rest < 1) over()
      else run(rest)
    }, millis)
  }
  run(limitMs)
  return () => clearTimeout(timer)
}

const tickMs = 50

type Falsy = false | 0 | "" | null | undefined

/** Like {@link waitFor}, for an outcome that may legitimately not come: `undefined` at the limit. */
export const within = async <A>(promise: PromiseLike<A>, limitMs: number): Promise<A | undefined> => {
  try {
    return await waitFor("an outcome that may not come", promise, limitMs)
  } catch (cause) {
    if (cause instanceof WaitTimedOut) return undefined
    throw cause
  }
}

/** A client's own pace (it thinks, it dawdles). Never a substitute for waiting for an event. */
export const pace = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

export interface Deferred<A> {
  readonly promise: Promise<A>
  readonly resolve: (value: A) => void
  readonly reject: (cause: unknown) => void
}

export const deferred = <A = void>(): Deferred<A> => {
  let resolve!: (value: A) => void
  let reject!: (cause: unknown) => void
  const promise = new Promise<A>((res, rej) => {
    resolve = res
    reject = rej
  })
  return { promise, resolve, reject }
}

/**
 * By so much a timer of Node may be early, in milliseconds: it counts whole ones, from the start of that in which the
 * turn of the event loop began.
 */
export const timerGrain = 1

/** Epoch milliseconds with fractions: comparable between the processes of one machine. */
export const now = (): number => performance.timeOrigin + performance.now()
