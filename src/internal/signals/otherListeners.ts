/**
 * Who else in this process listens for a signal, and what to do about it. What is known of a listener is its name and
 * its text.
 */
import { clip } from "../model/text.js"
import { shared } from "./shared.js"

export interface Others {
  /** In words, each of those that do something of their own. */
  readonly named: ReadonlyArray<string>
  /** What to switch off, where the library is known. */
  readonly remedies: ReadonlyArray<string>
  /** `runMain` ends the process by itself, when its program has ended. */
  readonly runMain: boolean
}

/** A listener whose text has this is of that library, whatever its version. */
const libraries: ReadonlyArray<readonly [text: RegExp, remedy: string]> = [
  [/ERROR_DURING_SHUTDOWN/, "NestJS: do not call enableShutdownHooks, and call app.close() in `finally`"],
  [/stop\(\) threw during/, "Apollo Server: stopOnTerminationSignals: false, and call its stop() in `finally`"],
  [/asyncServerStop/, "terminus: do not call createTerminus, and do what its onSignal does in `finally`"],
  [/Stopping server gracefully/, "srvx: gracefulShutdown: false"],
  [/received repeated shut down signal/, "http-graceful-shutdown: take it out"]
]

/** `NodeRuntime.runMain` of Effect 3 and of Effect 4. */
const ofRunMain = /unsafeInterruptAsFork|interruptUnsafe/

/** Does something only where nobody else listens: the package signal-exit, versions 3 and 4. */
const isHarmless = /__signal_exit_emitter__|emitter\.count/

export const othersFor = (name: NodeJS.Signals): Others => {
  const texts = process.listeners(name)
    .filter((listener) => !shared.listeners.has(listener))
    .map((listener) => ({ name: listener.name, text: textOf(listener) }))
  const others = texts.filter(({ text }) => !ofRunMain.test(text) && !isHarmless.test(text))
  const remedies = others.flatMap(({ text }) => libraries.filter(([of]) => of.test(text)).map(([, remedy]) => remedy))
  return {
    named: others.map(inWords),
    remedies: [...new Set(remedies)],
    runMain: texts.some(({ text }) => ofRunMain.test(text))
  }
}

/** What `runMain` does with a signal is done, and in Effect 4 it listens on. */
export const dropRunMain = (name: NodeJS.Signals): void => {
  for (const listener of process.listeners(name)) if (ofRunMain.test(textOf(listener))) process.off(name, listener)
}

/** What `runMain` listens for. */
export const runMainSignals = ["SIGINT", "SIGTERM"] as const

/** Whether this process is one whose program `runMain` runs. */
export const isUnderRunMain = (): boolean =>
  runMainSignals.some((name) => process.listeners(name).some((each) => ofRunMain.test(textOf(each))))

const textOf = (listener: NodeJS.SignalsListener): string => Function.prototype.toString.call(listener)

/** How many a line names. */
const named = 5

/** `undefined` where there are none. */
export const warningAbout = (name: NodeJS.Signals, { named: all, remedies }: Others): string | undefined => {
  if (all.length === 0) return undefined
  const shown = all.slice(0, named).join(", ") + (all.length > named ? `, and ${all.length - named} more` : "")
  const one = all.length === 1
  const remedy = remedies.length > 0
    ? `Switch off: ${remedies.join("; ")}`
    : `Take ${one ? "it" : "them"} out: what is to be done at the end belongs in \`finally\`, or in a finalizer`
  return `${name}: ${
    one ? "1 other listener handles" : `${all.length} other listeners handle`
  } it, too (${shown}), and `
    + `may end the process or close the server while requests are in flight. ${remedy}`
}

/** A function without a name is found by its beginning. */
const inWords = ({ name, text }: { readonly name: string; readonly text: string }): string => {
  const exits = /process\s*\.\s*(exit|reallyExit)\b/.test(text) ? ", which calls process.exit" : ""
  const bare = name.replace(/^bound /, "")
  return bare === ""
    ? `anonymous: ${clip(text.replaceAll(/\s+/g, " "), 60)}${exits}`
    : `${clip(bare, 60)}${exits}`
}
