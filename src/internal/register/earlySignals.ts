/**
 * A signal that comes when a server listens, and what drains it has not been loaded: it waits.
 */
import { deliver, receive, stopReceiving } from "../signals/processSignals.js"
import * as HeldSignals from "./heldSignals.js"

let isListening = false
let first: NodeJS.Signals | undefined

const onSignal = (name: NodeJS.Signals): void => {
  first ??= name
}

export const listen = (): void => {
  // what drains may listen already
  if (isListening || HeldSignals.isHeld()) return
  isListening = true
  HeldSignals.hold()
  for (const name of HeldSignals.signalNames) receive(name, onSignal)
}

/** Gives the first of them to those who listen now; where nobody does, it does what it does by itself. */
export const stop = (): void => {
  if (!isListening) return
  isListening = false
  for (const name of HeldSignals.signalNames) stopReceiving(name, onSignal)
  const name = first
  first = undefined
  if (name !== undefined && !deliver(name)) process.kill(process.pid, name)
}
