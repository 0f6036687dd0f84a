/**
 * Whoever listens for a signal takes away what it does by itself, which is to end the process: so we owe the end. But
 * where others handle the signal, too, they decide when it comes.
 */
import type * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import { activeResources } from "../node/activeResources.js"
import { clearTimeout, machineMillis, setTimeout } from "../node/timers.js"
import { type Others, runMainSignals } from "./otherListeners.js"
import { shared } from "./shared.js"

/** How long the process may take to end by itself when all is over. */
const lingerMillis = 1000

/** What still keeps it alive is said again after longer and longer, up to this. */
const longestMillis = 5000

/** How long stdout and stderr may take for what was written to them. */
const flushMillis = 2000

/** The end of the process, as a signal has asked for it, or an error that nobody has caught. */
export interface Asked {
  readonly signal: NodeJS.Signals | undefined
  readonly warn: (message: string) => void
  readonly others: () => Others
  /** Whether what keeps the process alive is ended with it; otherwise it is only said. */
  readonly exits: boolean
  /** What runs the program: its end is what `endWith` is told of. */
  readonly fiber?: Fiber.RuntimeFiber<unknown, unknown> | undefined
  /** Called as soon as nobody else uses the process: whoever runs the program may end it. */
  readonly exit?: (() => void) | undefined
}

let owed: Asked | undefined
let timer: NodeJS.Timeout | undefined
let overAt = 0
let waits = lingerMillis

/** A shutdown has begun. */
export const begins = (shutdown: object): void => void shared.unfinished.add(shutdown)

/** A shutdown is over; `asked` is given where a signal has asked for the end of the process. */
export const isOver = (shutdown: object, asked?: Asked): void => {
  shared.unfinished.delete(shutdown)
  owed = asked ?? owed
  if (owed !== undefined) shared.whenFinished.add(settle)
  // also another copy's
  if (shared.unfinished.size === 0) { for (const each of shared.whenFinished) each() }
}

/** Looks whether the process may end now. */
export const settle = (): void => {
  if (owed === undefined || shared.unfinished.size > 0) return
  if (!othersUse(owed)) {
    releaseChannel(owed)
    owed.exit?.()
  }
  if (owed.exits) endWithLoop()
  overAt = machineMillis()
  waits = lingerMillis
  lookLater()
}

/**
 * Nothing keeps the process alive any more. Node would release all that it has, which takes milliseconds;
 * `process.exit` does not, and calls the same listeners. But whoever else listens for the end of the event loop may begin
 * something there.
 */
const onBeforeExit = (): void => {
  if (owed === undefined || !owed.exits || shared.unfinished.size > 0 || othersUse(owed)) return
  if (process.listeners("beforeExit").some((listener) => !shared.listeners.has(listener))) return
  // of one that has listened once, and came before
  if (activeResources().length > 0) return
  process.off("beforeExit", onBeforeExit)
  // another copy of this package does the same
  for (const listener of process.listeners("beforeExit")) listener(Number(process.exitCode ?? 0))
  // oxlint-disable-next-line no-process-exit -- the signal would have done it
  process.exit()
}
shared.listeners.add(onBeforeExit)

const endWithLoop = (): void => {
  if (process.listeners("beforeExit").includes(onBeforeExit)) return
  // those that listen once are there as long as they have not been called
  process.prependListener("beforeExit", onBeforeExit)
}

/** The program that ended with `exit` is over: `onExit` ends the process, now, or when nobody else uses it. */
export const endWith = (exit: Exit.Exit<unknown, unknown>, code: number, onExit: (code: number) => void): void => {
  // a program that no signal has ended is nothing of ours
  if (owed?.fiber === undefined || owed.fiber.unsafePoll() !== exit) return onExit(code)
  if (code !== 0) process.exitCode = code
  // after its own signals `runMain` calls `process.exit` with what it is given: 0 would undo what the program has set
  const isItsOwn = runMainSignals.some((name) => name === owed?.signal)
  const given = () => isItsOwn ? Number(process.exitCode ?? 0) : code
  let called = false
  const once = () => {
    if (!called) flushed(() => onExit(given()))
    called = true
  }
  owed = { ...owed, exits: true, exit: once }
  settle()
}

/** Another program begins in this process: the end of the one before was not the end of all. */
export const goesOn = (): void => {
  if (owed?.exits === false) forget()
}

const forget = (): void => {
  owed = undefined
  process.off("beforeExit", onBeforeExit)
}

const othersUse = ({ others }: Asked): boolean => {
  const { named, runMain } = others()
  return named.length > 0 || runMain
}

/**
 * The channel to a parent process (PM2, `node:cluster`, `fork`) is no work: it is there as long as the parent is. Where
 * the process is not ours to end it may be all that its parent has it by, as that of a test runner.
 */
const releaseChannel = ({ exits }: Asked) => {
  if (exits) process.channel?.unref()
}

const lookLater = () => {
  clearTimeout(timer)
  timer = setTimeout(look, waits).unref()
}

const look = () => {
  // the end of the last one begins anew
  if (owed === undefined || shared.unfinished.size > 0) return
  const resources = activeResources()
  const alive = resources.join(", ") || "Node does not name it"
  if (owed.exits && !othersUse(owed)) {
    owed.warn(
      `All is over, and something still keeps the process alive (${alive}): ending it with exit code `
        + `${process.exitCode ?? 0}. Close it in \`finally\` or in a finalizer, or unref it`
    )
    forget()
    // oxlint-disable-next-line no-process-exit -- the signal would have done it
    return flushed(() => process.exit())
  }
  const said = `All is over, and the process has not ended after ${seconds()} s`
  if (resources.length > 0) owed.warn(`${said}: ${why(owed)}. Alive: ${alive}`)
  else if (owed.exits) releaseChannel(owed)
  else if (process.channel) {
    owed.warn(`${said}: it listens for messages of its parent process. To end it, call process.disconnect()`)
  }
  waits = Math.min(longestMillis, waits * 2)
  lookLater()
}

const seconds = () => Math.round((machineMillis() - overAt) / 1000)

const why = ({ exits, others, signal }: Asked): string => {
  const { named, runMain } = others()
  if (named.length > 0) return `others handle ${signal}, too (${named.join(", ")}), and decide when it ends`
  if (runMain) return "the program that `runMain` runs is not over"
  return exits ? "others use it" : "something that the program has not closed keeps it alive"
}

/** `process.exit` drops what a pipe has not taken yet. */
export const flushed = (then: () => void): void => {
  const until = machineMillis() + flushMillis
  const isFlushed = () => [process.stdout, process.stderr].every((out) => out.destroyed || out.writableLength === 0)
  const tryNow = () => {
    if (isFlushed() || machineMillis() >= until) then()
    else setTimeout(tryNow, 10)
  }
  tryNow()
}
