/**
 * The names of the policy's settings in an environment, which is everybody's: one is taken for a typing error only where
 * it can hardly be anything else.
 */
import * as Config from "effect/Config"
import { listNames } from "../effect/configs.js"
import { slipOf } from "./optionNames.js"

const prefix = "SHUTDOWN"

const policySettings: ReadonlyArray<string> = [
  "LAME_DUCK",
  "TIMEOUT",
  "KILL_TIMEOUT",
  "NEW_CONNECTION_GRACE",
  "IDLE_GRACE",
  "END_EVENT_STREAMS",
  "EVENT_STREAM_RETRY",
  "SPREAD",
  "WEB_SOCKET_CODE",
  "WEB_SOCKET_REASON",
  "WEB_SOCKET_MESSAGE",
  "WEB_SOCKET_GRACE"
]

const units = /_(MS|MSEC|MSECS|MILLIS|MILLISECONDS|S|SEC|SECS|SECONDS|MIN|MINS|MINUTES)$/

export interface Misspelt {
  readonly name: string
  readonly meant: string
}

/** The first of the names that is one of ours but for a letter or two, or but for a unit. */
const find = (names: ReadonlyArray<string>, known: ReadonlyArray<string>): Misspelt | undefined => {
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

/** The setting that is misspelt, if there is one: a name of the policy, or one of `others`, which have no prefix here. */
export const misspelt = (others: ReadonlyArray<string> = []): Config.Config<Misspelt | undefined> =>
  Config.map(
    Config.all([
      // one segment, as in a map or a file
      listNames(1),
      Config.map(listNames(depth, prefix), (names) => names.map((name) => `${prefix}_${name}`))
    ]),
    ([flat, nested]) => find([...flat, ...nested], [...policySettings, ...others])
  )
