import * as Config from "effect/Config"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as SchemaIssue from "effect/SchemaIssue"

const invalid = (message: string) =>
  Effect.fail(
    new Config.ConfigError(new Schema.SchemaError(new SchemaIssue.InvalidValue({ message })))
  )

export const setting = <A>(
  name: string,
  expected: string,
  parse: (text: string) => A | undefined
): Config.Config<A> =>
  Config.mapEffect(Config.String(name), (text) => {
    const value = parse(text.trim())
    return value === undefined ? invalid(`${name}: ${JSON.stringify(text)} is not ${expected}`) : Effect.succeed(value)
  })

export const rejectIf = <A>(
  config: Config.Config<A>,
  problem: (value: A) => { readonly name: string; readonly message: string } | undefined
): Config.Config<void> =>
  Config.mapEffect(config, (value) => {
    const found = problem(value)
    return found === undefined ? Effect.void : invalid(`${found.name}: ${found.message}`)
  })

/** The prefixes below which a configuration is read: what is not there is said to be missing below them. */
const nestedIn: Config.Config<ReadonlyArray<string>> = Config.map(Config.String("\0"), () => []).pipe(
  Config.orElse(({ cause }) =>
    Config.succeed(
      cause._tag === "SchemaError" && cause.issue._tag === "Pointer" ? cause.issue.path.slice(0, -1).map(String) : []
    )
  )
)

export const listNames = (depth: number, prefix?: string): Config.Config<ReadonlyArray<string>> =>
  Config.mapEffect(
    nestedIn,
    (path) =>
      Effect.flatMap(ConfigProvider.ConfigProvider, (provider) =>
        below(provider, prefix === undefined ? path : [...path, prefix], depth)).pipe(
          Effect.orElseSucceed((): ReadonlyArray<string> => [])
        )
  )

const below = (
  provider: ConfigProvider.ConfigProvider,
  path: ReadonlyArray<string>,
  depth: number
): Effect.Effect<ReadonlyArray<string>, unknown> =>
  depth === 0 ?
    Effect.succeed([""]) :
    Effect.flatMap(provider.load([...path]), (node) =>
      node?._tag !== "Record" || node.keys.size === 0
        ? Effect.succeed([""])
        : Effect.map(
          Effect.forEach(Array.from(node.keys), (key) =>
            Effect.map(below(provider, [...path, key], depth - 1), (rest) =>
              rest.map((after) => after === "" ? key : `${key}_${after}`))),
          (names) =>
            names.flat()
        ))
