/**
 * Whether requests take our own way to their app, or that of `@effect/platform-node`.
 */
import * as Config from "effect/Config"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Effect from "effect/Effect"
import { InvalidPolicy } from "../../model/errors.js"

const variable = "QUIESCE_FAST_PATH"

/** Of the process itself, and not of the program's configuration: whoever operates it turns it off. */
const fromEnvironment = Config.withDefault(Config.boolean(variable), true).pipe(
  Effect.withConfigProvider(ConfigProvider.fromEnv()),
  Effect.mapError(() =>
    new InvalidPolicy({ field: variable, value: process.env[variable], expected: "true or false, on or off, 1 or 0" })
  )
)

/** The option wins over the environment. */
export const usesFastPath = (
  { fastPath: option }: { readonly fastPath?: unknown }
): Effect.Effect<boolean, InvalidPolicy> =>
  option === undefined
    ? fromEnvironment
    : typeof option === "boolean"
    ? Effect.succeed(option)
    : new InvalidPolicy({ field: "fastPath", value: option, expected: "true or false" })
