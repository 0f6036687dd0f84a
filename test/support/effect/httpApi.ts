/** An `HttpApi`, as both lines of Effect make one. */
import { HttpApi, HttpApiBuilder, HttpApiEndpoint, HttpApiGroup } from "@effect/platform"
import { type Effect, Layer, Schema } from "effect"

/** An `HttpApi` of one endpoint that counts. */
export const httpApi = (
  path: `/${string}`,
  count: Effect.Effect<number>
) => {
  const api = HttpApi.make("api").add(
    HttpApiGroup.make("all").add(HttpApiEndpoint.get("count", path).addSuccess(Schema.Number))
  )
  const handlers = HttpApiBuilder.group(api, "all", (handlers) => handlers.handle("count", () => count))
  return HttpApiBuilder.serve().pipe(Layer.provide(HttpApiBuilder.api(api)), Layer.provide(handlers))
}
