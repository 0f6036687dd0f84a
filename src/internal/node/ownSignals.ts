/**
 * Tells the signals that this process sends to itself from those of others: the kernel does not say so to a program
 * in JavaScript, and libraries that tidy up on a signal send it again (NestJS, Apollo Server, terminus).
 */
import * as Fs from "node:fs"
import * as Os from "node:os"
import * as Patch from "./patch.js"
import { setImmediate, setTimeout } from "./timers.js"

/** A signal that has not come by then, and one turn of the event loop later, was merged with another one. */
const lostMillis = 1000

/** Those on their way, by number: each has its own token. */
const underWay = new Map<number, Set<object>>()

/** Called before each of them is sent. */
const watchers = new Set<() => void>()
let restore: (() => void) | undefined

/** Watches until what it returns is called; calls `before` before this process sends itself a signal. */
export const watchOwnSignals = (before: () => void): () => void => {
  const watcher = () => before()
  watchers.add(watcher)
  restore ??= replace()
  return () => {
    if (!watchers.delete(watcher) || watchers.size > 0) return
    restore?.()
    restore = undefined
    underWay.clear()
  }
}

/** Whether the signal that has just come was sent by this process; each is told once. */
export const takeOwn = (name: NodeJS.Signals): boolean => {
  const sent = underWay.get(Os.constants.signals[name])
  for (const token of sent ?? []) return sent?.delete(token) ?? false
  return false
}

const replace = (): () => void => {
  let watching = true
  const restore = Patch.processKill((kill) =>
    function(this: unknown, ...args) {
      const token = watching ? sends(args[0], args[1]) : undefined
      let result: unknown
      try {
        result = Reflect.apply(kill, this, args)
      } catch (error) {
        token?.forget()
        throw error
      }
      // `_kill` returns an error code
      if (typeof result === "number" && result !== 0) token?.forget()
      return result
    }
  )
  return () => {
    watching = false
    restore()
  }
}

const sends = (pid: unknown, signal: unknown) => {
  const number = typeof signal === "string"
    ? Object.entries(Os.constants.signals).find(([name]) => name === signal)?.[1]
    : signal === undefined
    ? Os.constants.signals.SIGTERM
    : Number(signal)
  if (number === undefined || !(number > 0) || !reachesUs(Number(pid))) return undefined
  for (const watcher of watchers) watcher()
  const token = {}
  const sent = underWay.get(number) ?? new Set()
  underWay.set(number, sent.add(token))
  const forget = () => void sent.delete(token)
  setTimeout(() => setImmediate(forget).unref(), lostMillis).unref()
  return { forget }
}

const reachesUs = (pid: number): boolean =>
  pid === process.pid || pid === 0 || (pid < -1 && -pid === (groupOfThis() ?? process.pid))

/** The group that a signal to `-pid` reaches, where the system says it. */
const groupOfThis = (): number | undefined => {
  try {
    // the name before it, in parentheses, may have spaces and parentheses of its own
    return Number(/^.*\) \S \d+ (\d+) /s.exec(Fs.readFileSync("/proc/self/stat", "utf8"))?.[1] ?? Number.NaN)
  } catch {
    return undefined
  }
}
