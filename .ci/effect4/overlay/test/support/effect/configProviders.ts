import * as Config from "effect/Config"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"

export type Provider = ConfigProvider.ConfigProvider

export type Settings = Readonly<Record<string, string>>

export const providerOf = (settings: Settings): Provider => ConfigProvider.fromUnknown(settings)

export const providerOfJson = (json: Readonly<Record<string, unknown>>): Provider => ConfigProvider.fromUnknown(json)

export const providerOfEnvironment = (variables: Settings): Provider => ConfigProvider.fromEnvRecord(variables)

export const providerBelow = (prefix: string, settings: Settings): Provider =>
  ConfigProvider.nested(ConfigProvider.fromUnknown({ [prefix]: settings }), prefix)

export const firstOf = (one: Provider, other: Provider): Provider => ConfigProvider.orElse(one, other)

export const providerWithoutList = (settings: Settings): Provider =>
  ConfigProvider.make((path) => {
    const value = settings[path.join("_")]
    return Effect.succeed(value === undefined ? undefined : ConfigProvider.makeValue(value))
  })

export const withProvider = (provider: Provider) => <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.provideService(effect, ConfigProvider.ConfigProvider, provider)

export const layerProvider = (provider: Provider): Layer.Layer<never> => ConfigProvider.layer(provider)

export const isConfigError = (error: unknown): boolean => error instanceof Config.ConfigError

export const textOf = (error: unknown): string => String(error)
