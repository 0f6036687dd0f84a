import { type Effect, Layer, Schema } from "effect"
import { HttpRouter, type HttpServer } from "effect/http"
import { HttpApi, HttpApiBuilder, HttpApiEndpoint, HttpApiGroup } from "effect/http-api"

export const httpApi = (
  path: `/${string}`,
  count: Effect.Effect<number>
): Layer.Layer<never, never, HttpServer.HttpServer> => {
  const api = HttpApi.make("api").add(
    HttpApiGroup.make("all").add(HttpApiEndpoint.get("count", path, { success: Schema.Number }))
  )
  const handlers = HttpApiBuilder.group(api, "all", (handlers) => handlers.handle("count", () => count))
  return HttpRouter.serve(HttpApiBuilder.layer(api).pipe(Layer.provide(handlers)), { disableLogger: true }) as never
}
