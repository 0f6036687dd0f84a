/**
 * Servers for whoever operates the program, beside those of its traffic: nobody drains them. All copies of this package in
 * one process know them, so that `quiesce/register` leaves alone what the program's own copy has.
 */
import type * as Net from "node:net"

/** A version that keeps something else takes another key. */
const key = Symbol.for("quiesce/asides/1")

const make = (): WeakSet<Net.Server> => {
  const made = new WeakSet<Net.Server>()
  Object.defineProperty(process, key, { value: made })
  return made
}

export const asides: WeakSet<Net.Server> = (Reflect.get(process, key) as WeakSet<Net.Server> | undefined) ?? make()
