/**
 * The program's own listeners for SIGTERM and SIGINT do not hear of a signal while its servers drain: whatever they do
 * (`process.exit`, mostly), they do when all is over. Listeners of this package hear of it at once.
 */
import * as Os from "node:os"
import * as Patch from "../node/patch.js"
import { listenersOfOthers } from "../signals/processSignals.js"
import { shared } from "../signals/shared.js"

export const signalNames: ReadonlyArray<NodeJS.Signals> = ["SIGTERM", "SIGINT"]

let isHolding = false

const emitterOf = (emit: (this: unknown, ...args: ReadonlyArray<unknown>) => unknown) =>
  function(this: unknown, ...args: ReadonlyArray<unknown>): unknown {
    const name = isHolding ? signalNames.find((each) => each === args[0]) : undefined
    if (name === undefined) return Reflect.apply(emit, this, args)
    for (const listener of process.listeners(name)) {
      if (shared.listeners.has(listener)) Reflect.apply(listener, process, args.slice(1))
    }
    return true
  }

/** From now on, signals can be held: also those that somebody listens for already. */
export const prepare = (): void => {
  Patch.processEmit(emitterOf)
  for (const name of signalNames) {
    const listeners = process.rawListeners(name)
    if (listeners.length === 0) continue
    // Node looks up `emit` again with the first one
    process.removeAllListeners(name)
    for (const listener of listeners) process.on(name, listener as NodeJS.SignalsListener)
  }
}

export const hold = (): void => {
  isHolding = true
}

export const isHeld = (): boolean => isHolding

export const letThrough = (): void => {
  isHolding = false
}

/** Tells the program's own listeners of a signal that they have not heard of, as Node does. */
export const tell = (name: NodeJS.Signals): void => {
  for (const listener of listenersOfOthers(name)) {
    Reflect.apply(listener, process, [name, Os.constants.signals[name]])
  }
}
