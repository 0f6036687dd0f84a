/**
 * An Effect app with everything that `@effect/platform` puts around it (`HttpApp.toHandled`): the pre-response
 * handlers, the middleware, the span, the answers to failures, the scope. It is built once and run for each request,
 * by a fiber whose context has the request, its scope and its span already.
 */
import * as HttpApp from "@effect/platform/HttpApp"
import type { HttpMiddleware } from "@effect/platform/HttpMiddleware"
import { causeResponse, type ResponseError } from "@effect/platform/HttpServerError"
import { HttpServerRequest } from "@effect/platform/HttpServerRequest"
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as FiberRef from "effect/FiberRef"
import * as Option from "effect/Option"
import * as Scope from "effect/Scope"
import { closing, isRequestScope, type RequestScope } from "./requestScope.js"
import { RequestSpan } from "./requestSpan.js"
import type { Spans } from "./spans.js"
import { hasNoChildren } from "./streaming.js"

type Response = HttpServerResponse.HttpServerResponse
type AnyFiber = Fiber.RuntimeFiber<unknown, unknown>

/** Writes a response; returns what is left to do, if anything is. */
export type Write = (
  request: HttpServerRequest,
  response: Response,
  isAwaited: boolean
) => Effect.Effect<void, ResponseError> | undefined

export interface Options {
  readonly middleware: HttpMiddleware | undefined
  readonly spans: Spans
  readonly write: Write
  /** What the app was served with. */
  readonly context: Context.Context<never>
}

export interface Handled {
  readonly app: Effect.Effect<unknown, unknown, HttpServerRequest>
  /** What happens where the app has not even been reached. */
  readonly unreached: (defect: unknown) => Effect.Effect<unknown, unknown, HttpServerRequest>
}

export const handled = (httpApp: HttpApp.Default<unknown>, { context, middleware, spans, write }: Options): Handled => {
  // a middleware, or a tracer, may do something when all has been sent
  const answered = answering(httpApp, write, middleware !== undefined || spans.recorded)
  const keep = keepingOf(context)
  const close = closingWith(keep)
  const finish = (exit: Exit.Exit<Response, unknown>): Exit.Exit<Response, unknown> => {
    const span = scopeOf(current())?.span
    if (span !== undefined) spans.end(span, exit)
    return exit
  }
  if (middleware === undefined) {
    return { app: ended(answered, (exit) => close(finish(exit))), unreached: (defect) => close(Exit.die(defect)) }
  }
  const outcome = afterMiddleware(write, keep)
  return {
    app: ended(
      ended<Response, unknown, void, ResponseError>(middleware(answered), (exit) => outcome(finish(exit))),
      close
    ),
    unreached: (defect) => ended(ended<never, never, void, ResponseError>(Effect.die(defect), outcome), close)
  }
}

/** The app, with its response written: what it returns, or what its failure is answered with. */
const answering = (
  httpApp: HttpApp.Default<unknown>,
  write: Write,
  isAwaited: boolean
): Effect.Effect<Response, unknown, HttpServerRequest> => {
  const answer = (fiber: AnyFiber, request: HttpServerRequest, response: Response) => {
    mark(request)
    const writing = write(request, response, isAwaited || isObserved(fiber))
    return writing === undefined ? Effect.succeed(response) : Effect.as(writing, response)
  }
  const respond = (response: Response): Effect.Effect<Response, ResponseError> => {
    const fiber = current()
    const request = Context.unsafeGet(fiber.currentContext, HttpServerRequest)
    const handler = fiber.getFiberRef(HttpApp.currentPreResponseHandlers)
    if (Option.isNone(handler)) return answer(fiber, request, response)
    return Effect.flatMap(handler.value(request, response), (response) => answer(fiber, request, response))
  }
  return Effect.catchAllCause(
    Effect.flatMap(httpApp, respond),
    (cause) =>
      Effect.flatMap(causeResponse(cause), ([response, rest]) =>
        Effect.zipRight(
          respond(response),
          Cause.isEmptyType(rest) ? Effect.succeed(response) : Effect.failCause(rest)
        ))
  )
}

type Keep = (fiber: AnyFiber, ...keys: ReadonlyArray<string>) => Effect.Effect<void>

/** What is over is no longer seen by what is still to run: only some of what the request has added is kept. */
const keepingOf = (context: Context.Context<never>): Keep => (fiber, ...keys) => {
  const services = new Map<string, unknown>(context.unsafeMap)
  for (const key of keys) services.set(key, fiber.currentContext.unsafeMap.get(key))
  return FiberRef.set(FiberRef.currentContext, Context.unsafeMake<never>(services))
}

/** The last step: the scope closes, and its failures join those of the request. */
const closingWith = (keep: Keep) => <A, E>(exit: Exit.Exit<A, E>): Effect.Effect<A, E> => {
  const fiber = current()
  const scope = scopeOf(fiber)
  const closed = scope === undefined ? undefined : closing(scope, exit)
  if (closed === undefined) return Exit.isSuccess(exit) ? exit : Effect.zipRight(keep(fiber), exit)
  const all = Effect.matchCauseEffect(closed, {
    onFailure: (cause) => Effect.failCause(Exit.isFailure(exit) ? Cause.sequential(exit.cause, cause) : cause),
    onSuccess: () => exit
  })
  return Effect.zipRight(keep(fiber, HttpServerRequest.key), Effect.ensuring(all, keep(fiber)))
}

/** Answers if the app has not: a middleware may have answered in its place, or failed. */
const afterMiddleware = (write: Write, keep: Keep) => {
  const last = (request: HttpServerRequest, response: Response): Effect.Effect<void, ResponseError> =>
    Effect.zipRight(
      keep(current(), HttpServerRequest.key, Scope.Scope.key),
      Effect.suspend(() => write(request, response, true) ?? Effect.void)
    )
  return (exit: Exit.Exit<Response, unknown>): Effect.Effect<void, ResponseError> => {
    const request = Context.unsafeGet(current().currentContext, HttpServerRequest)
    if (isMarked(request)) return Effect.void
    return Exit.isSuccess(exit) ? last(request, exit.value) : Effect.matchCauseEffect(causeResponse(exit.cause), {
      onFailure: () => last(request, HttpServerResponse.empty({ status: 500 })),
      onSuccess: ([response]) => last(request, response)
    })
  }
}

/** Goes on with the exit of an effect, whatever it is. */
const ended = <A, E, B, E2>(
  effect: Effect.Effect<A, E, HttpServerRequest>,
  next: (exit: Exit.Exit<A, E>) => Effect.Effect<B, E2>
): Effect.Effect<B, E2, HttpServerRequest> =>
  Effect.matchCauseEffect(effect, {
    onFailure: (cause) => next(Exit.failCause(cause)),
    onSuccess: (value) => next(Exit.succeed(value))
  })

/** The fiber that runs what is asking. */
const current = (): AnyFiber => Option.getOrThrow(Fiber.getCurrentFiber())

const scopeOf = (fiber: AnyFiber): RequestScope | undefined => {
  const scope: unknown = fiber.currentContext.unsafeMap.get(Scope.Scope.key)
  return isRequestScope(scope) ? scope : undefined
}

/** Somebody could tell whether the fiber ends before its response has been sent. */
const isObserved = (fiber: AnyFiber): boolean => {
  const scope = scopeOf(fiber)
  return scope?.unused !== true
    || (scope.span instanceof RequestSpan && !scope.span.unseen)
    // those that it has forked end with it
    || !hasNoChildren(fiber)
}

/** What the platform puts on a request that it has answered. */
const answeredKey: unique symbol = Symbol.for("@effect/platform/HttpApp/handled")

const mark = (request: HttpServerRequest): void => {
  ;(request as { [answeredKey]?: true })[answeredKey] = true
}

const isMarked = (request: HttpServerRequest): boolean => answeredKey in request
