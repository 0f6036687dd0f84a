/**
 * Objects that are compared by what they are, and not by what is in them.
 */
import * as Equal from "effect/Equal"
import * as Hash from "effect/Hash"

/**
 * What we keep on an object of Node's is reached by whoever hashes that: Effect 4 does so for the causes of a failure, key
 * by key, prototypes included. It would go from one connection to all others of its server.
 */
export const comparedByIdentity = (prototype: object): void => {
  if (Hash.symbol in prototype) return
  Object.defineProperties(prototype, {
    [Hash.symbol]: {
      value(this: object) {
        return Hash.random(this)
      }
    },
    [Equal.symbol]: {
      value(this: object, that: unknown) {
        return this === that
      }
    }
  })
}
