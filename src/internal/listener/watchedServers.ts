/**
 * The Node servers that are listened with, and who waits for the end of that: a second watch would see every request
 * twice. All copies of this package in one process know them: it may be loaded twice, as by `quiesce/register` and by
 * the program itself.
 */
import type * as Net from "node:net"

type Watched = WeakMap<Net.Server, Array<() => void>>

/** A version that keeps something else takes another key. */
const key = Symbol.for("quiesce/watched/1")

const make = (): Watched => {
  const made: Watched = new WeakMap()
  Object.defineProperty(process, key, { value: made })
  return made
}

export const watched: Watched = (Reflect.get(process, key) as Watched | undefined) ?? make()
