/**
 * Settings. Effect 3 and Effect 4 have other errors for a setting that is wrong, and other ways to list the settings that
 * there are.
 */
import * as Config from "effect/Config"
import * as ConfigError from "effect/ConfigError"
import * as Either from "effect/Either"
import * as HashMap from "effect/HashMap"

/** A setting that is parsed from its text. Where `parse` returns nothing, the error says what was expected. */
export const setting = <A>(
  name: string,
  expected: string,
  parse: (text: string) => A | undefined
): Config.Config<A> =>
  Config.mapOrFail(Config.string(name), (text) =>
    Either.fromNullable(
      parse(text.trim()),
      () => ConfigError.InvalidData([], `${JSON.stringify(text)} is not ${expected}`)
    ))

/** Fails where a value names a setting that there should not be. */
export const rejectIf = <A>(
  config: Config.Config<A>,
  problem: (value: A) => { readonly name: string; readonly message: string } | undefined
): Config.Config<void> =>
  Config.mapOrFail(config, (value) => {
    const found = problem(value)
    return found === undefined
      ? Either.right(undefined)
      : Either.left(ConfigError.InvalidData([found.name], found.message))
  })

/**
 * The names of the settings, or of those below `prefix`. A provider that takes `_` for the end of a segment has names of
 * several segments; they are joined again, up to `depth` of them. What a provider cannot list is not there.
 */
export const listNames = (depth: number, prefix?: string): Config.Config<ReadonlyArray<string>> =>
  Config.orElse(prefix === undefined ? below(depth) : Config.nested(below(depth), prefix), () => none)

const none = Config.succeed<ReadonlyArray<string>>([])

const below = (depth: number): Config.Config<ReadonlyArray<string>> =>
  depth === 0
    ? Config.succeed([""])
    : Config.map(Config.hashMap(below(depth - 1)), (children) => {
      const names = HashMap.toEntries(children).flatMap(([name, rest]) =>
        rest.map((after) => after === "" ? name : `${name}_${after}`)
      )
      return names.length === 0 ? [""] : names
    })
