/**
 * Durations as they stand in an environment: as `Duration` prints and reads them, or as a bare number of milliseconds.
 */
import * as Config from "effect/Config"
import * as ConfigError from "effect/ConfigError"
import * as Duration from "effect/Duration"
import * as Either from "effect/Either"

const example = `a duration of 0 or more, such as "5 seconds" or a number of milliseconds`

/** A duration that has an end. */
export const duration = (name: string): Config.Config<Duration.Duration> =>
  read(name, example, (text) => {
    const parsed = parse(text)
    return parsed !== undefined && Duration.isFinite(parsed) ? parsed : undefined
  })

/** A duration that may be infinite. */
export const infinite = (name: string): Config.Config<Duration.Duration> => read(name, `${example}, or infinity`, parse)

/** A duration that has an end, or the word. */
export const orPromised = (name: string): Config.Config<Duration.Duration | "promised"> =>
  read<Duration.Duration | "promised">(name, `promised, or ${example}`, (text) => {
    const parsed = text === "promised" ? text : parse(text)
    return parsed === "promised" || (parsed !== undefined && Duration.isFinite(parsed)) ? parsed : undefined
  })

const read = <A>(name: string, expected: string, parse: (text: string) => A | undefined): Config.Config<A> =>
  Config.mapOrFail(Config.string(name), (text) =>
    Either.fromNullable(
      parse(text.trim()),
      () => ConfigError.InvalidData([], `${JSON.stringify(text)} is not ${expected}`)
    ))

const parse = (text: string): Duration.Duration | undefined => {
  if (/^\d+(\.\d+)?$/.test(text)) return Duration.millis(Number(text))
  if (/^infinity$/i.test(text)) return Duration.infinity
  // `Duration` takes what is negative for nothing
  if (!/^\d/.test(text)) return undefined
  const decoded = Duration.decodeUnknown(text)
  return decoded._tag === "Some" ? decoded.value : undefined
}
