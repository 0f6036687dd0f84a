/** Middlewares: the platform's own, and those that a user may write. */
import { HttpMiddleware, HttpServerRequest, HttpServerResponse } from "@effect/platform"
import { Effect } from "effect"
import { exitText, type Journal } from "./observe.js"

type Make = (journal: Journal) => HttpMiddleware.HttpMiddleware

const make = (middleware: HttpMiddleware.HttpMiddleware) => middleware

export const middlewares: Record<string, Make> = {
  "logger": () => HttpMiddleware.logger,
  "cors": () => HttpMiddleware.cors({ allowedOrigins: ["http://a", "http://b"], credentials: true, maxAge: 10 }),
  "x-forwarded": () => HttpMiddleware.xForwardedHeaders,
  "search parameters": () => HttpMiddleware.searchParamsParser,
  "what has happened": (journal) =>
    make((app) => Effect.onExit(app, (exit) => Effect.sync(() => journal(["exit", exitText(exit)])))),
  "another response": () => make((app) => Effect.as(app, HttpServerResponse.text("ignored"))),
  "instead of the app": () => make(() => HttpServerResponse.text("instead", { status: 202 })),
  "before the app": () =>
    make((app) =>
      Effect.flatMap(
        HttpServerRequest.HttpServerRequest,
        (request) => request.method === "POST" ? HttpServerResponse.empty({ status: 405 }) : app
      )
    ),
  "a failure before": () => make(() => Effect.fail("in the middleware")),
  "a defect after": () => make((app) => Effect.zipRight(app, Effect.die("in the middleware"))),
  "an interruption": () => make(() => Effect.interrupt),
  "a scope": (journal) =>
    make((app) =>
      Effect.scoped(Effect.zipRight(Effect.addFinalizer(() => Effect.sync(() => journal("of the middleware"))), app))
    ),
  "all caught": () => make((app) => Effect.catchAllCause(app, () => HttpServerResponse.text("caught"))),
  "a span": () => make((app) => Effect.withSpan(app, "of the middleware", { captureStackTrace: false }))
}
