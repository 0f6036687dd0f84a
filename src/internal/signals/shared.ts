/**
 * What all copies of this package in one process know of each other: it may be loaded twice, as a module and by
 * `require`, or in two versions.
 */

interface Shared {
  /** Their listeners for signals and the end of the event loop: nobody else's. */
  readonly listeners: WeakSet<object>
  /** Shutdowns that are not over: ending the process would cut them. */
  readonly unfinished: Set<object>
  /** Called when the last of them is over. */
  readonly whenFinished: Set<() => void>
  /** Signals whose other listeners have been named in the log. */
  readonly named: Set<NodeJS.Signals>
}

/** A version that needs more of it takes another key. */
const key = Symbol.for("quiesce/process/1")

const make = (): Shared => {
  const made: Shared = { listeners: new WeakSet(), unfinished: new Set(), whenFinished: new Set(), named: new Set() }
  Object.defineProperty(process, key, { value: made })
  return made
}

export const shared: Shared = (Reflect.get(process, key) as Shared | undefined) ?? make()
