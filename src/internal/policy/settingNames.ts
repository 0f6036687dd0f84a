/**
 * The names of the policy's settings in an environment, which is everybody's: one is taken for a typing error only where
 * it can hardly be anything else.
 */
import * as Config from "effect/Config"
import * as HashMap from "effect/HashMap"
import { slipOf } from "./optionNames.js"

const prefix = "SHUTDOWN"

const known = ["LAME_DUCK", "TIMEOUT", "KILL_TIMEOUT", "NEW_CONNECTION_GRACE", "IDLE_GRACE", "END_EVENT_STREAMS"]

const units = /_(MS|MSEC|MSECS|MILLIS|MILLISECONDS|S|SEC|SECS|SECONDS|MIN|MINS|MINUTES)$/

export interface Misspelt {
  readonly name: string
  readonly meant: string
}

/** The first of the names that is one of ours but for a letter or two, or but for a unit. */
const find = (names: ReadonlyArray<string>): Misspelt | undefined => {
  for (const name of names) {
    const upper = name.toUpperCase()
    if (!upper.startsWith(prefix)) continue
    const own = upper.slice(prefix.length).replace(/^[_.-]/, "")
    if (own === "" || known.includes(own)) continue
    const meant = slipOf(own, known) ?? slipOf(own.replace(units, ""), known)
    if (meant !== undefined) return { name, meant: `${prefix}_${meant}` }
  }
  return undefined
}

/** How many segments the longest of the names has, and one that is too many. */
const depth = 4

/** The names below this one, their segments joined: a provider of an environment takes `_` for the end of a segment. */
const below = (levels: number): Config.Config<ReadonlyArray<string>> =>
  levels === 0
    ? Config.succeed([""])
    : Config.map(Config.hashMap(below(levels - 1)), (children) => {
      const names = HashMap.toEntries(children).flatMap(([name, rest]) =>
        rest.map((after) => after === "" ? name : `${name}_${after}`)
      )
      return names.length === 0 ? [""] : names
    })

/** Whatever this provider cannot list is not looked at. */
const none = Config.succeed<ReadonlyArray<string>>([])

/** The setting that is misspelt, if there is one. */
export const misspelt: Config.Config<Misspelt | undefined> = Config.map(
  Config.all([
    // one segment, as in a map or a file
    Config.orElse(below(1), () => none),
    Config.orElse(
      Config.map(Config.nested(below(depth), prefix), (names) => names.map((name) => `${prefix}_${name}`)),
      () => none
    )
  ]),
  ([flat, nested]) => find([...flat, ...nested])
)
