/**
 * One listener of ours for each signal of the process, whoever of us is interested: it comes first, so that it sees all
 * others, also those that listen once.
 */
import * as Os from "node:os"
import { takeOwn } from "../node/ownSignals.js"
import { shared } from "./shared.js"

/** Where a signal comes from: another process, this one by `process.kill`, or this one by `process.emit`. */
export type Origin = "Outside" | "Sent" | "Emitted"

export type Receiver = (name: NodeJS.Signals, origin: Origin) => void

interface Installed {
  readonly listener: () => void
  readonly receivers: Set<Receiver>
}

const installed = new Map<NodeJS.Signals, Installed>()

export const receive = (name: NodeJS.Signals, receiver: Receiver): void => {
  const known = installed.get(name)
  if (known !== undefined) return void known.receivers.add(receiver)
  const receivers = new Set([receiver])
  const quiesce = (...args: ReadonlyArray<unknown>) => {
    // Node passes the number with a signal; a program that emits one by itself does not
    const origin = typeof args[1] !== "number" ? "Emitted" : takeOwn(name) ? "Sent" : "Outside"
    for (const each of Array.from(receivers)) each(name, origin)
  }
  shared.listeners.add(quiesce)
  installed.set(name, { listener: quiesce, receivers })
  process.prependListener(name, quiesce)
}

export const stopReceiving = (name: NodeJS.Signals, receiver: Receiver): void => {
  const known = installed.get(name)
  if (known === undefined || !known.receivers.delete(receiver) || known.receivers.size > 0) return
  process.off(name, known.listener)
  installed.delete(name)
}

/** Whoever has taken away all listeners for a signal has taken ours, too. */
export const stayInstalled = (name: NodeJS.Signals): void => {
  const known = installed.get(name)
  if (known !== undefined && !process.listeners(name).includes(known.listener)) {
    process.prependListener(name, known.listener)
  }
}

/** Gives the process a signal that has come to it by other ways, such as a message: not one of its own. */
export const deliver = (name: NodeJS.Signals): boolean =>
  Reflect.apply(process.emit, process, [name, name, Os.constants.signals[name]])

/** The listeners for a signal that are not ours, as Node calls them: one that listens once takes itself off. */
export const listenersOfOthers = (name: NodeJS.Signals): ReadonlyArray<Function> => {
  const listeners = process.listeners(name)
  return process.rawListeners(name).filter((_, nth) => {
    const listener = listeners[nth]
    return listener !== undefined && !shared.listeners.has(listener)
  })
}
