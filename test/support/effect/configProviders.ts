/** Providers of a configuration, as both lines of Effect have them. */
import * as ConfigError from "effect/ConfigError"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"

export type Provider = ConfigProvider.ConfigProvider

export type Settings = Readonly<Record<string, string>>

/** Has these settings, by their whole names. */
export const providerOf = (settings: Settings): Provider => ConfigProvider.fromMap(new Map(Object.entries(settings)))

export const providerOfJson = (json: Readonly<Record<string, unknown>>): Provider => ConfigProvider.fromJson(json)

/** As one is made of the environment of a process. */
export const providerOfEnvironment = (variables: Settings): Provider =>
  ConfigProvider.fromMap(new Map(Object.entries(variables)), { pathDelim: "_", seqDelim: "," })

/** Has them below a prefix, where it looks. */
export const providerBelow = (prefix: string, settings: Settings): Provider =>
  ConfigProvider.nested(
    ConfigProvider.fromMap(new Map(Object.entries(settings).map(([name, value]) => [`${prefix}.${name}`, value]))),
    prefix
  )

export const firstOf = (one: Provider, other: Provider): Provider => ConfigProvider.orElse(one, () => other)

/** Knows a setting by its name, and cannot say which there are. */
export const providerWithoutList = (settings: Settings): Provider => {
  const { load, patch } = providerOf(settings).flattened
  return ConfigProvider.fromFlat(ConfigProvider.makeFlat({
    load,
    enumerateChildren: (path) => Effect.fail(ConfigError.Unsupported([...path], "it lists nothing")),
    patch
  }))
}

export const withProvider = (provider: Provider) => <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.withConfigProvider(effect, provider)

export const layerProvider = (provider: Provider): Layer.Layer<never> => Layer.setConfigProvider(provider)

export const isConfigError = (error: unknown): boolean => ConfigError.isConfigError(error)

/** What a person reads of an error. */
export const textOf = (error: unknown): string => String(error)
