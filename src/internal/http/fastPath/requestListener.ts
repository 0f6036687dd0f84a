/**
 * What answers the requests of a server with an Effect app: one fiber for each, and nothing else where it ends at once.
 */
import type * as HttpApp from "@effect/platform/HttpApp"
import type { HttpMiddleware } from "@effect/platform/HttpMiddleware"
import { clientAbortFiberId } from "@effect/platform/HttpServerError"
import { HttpServerRequest } from "@effect/platform/HttpServerRequest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import * as FiberId from "effect/FiberId"
import * as FiberRef from "effect/FiberRef"
import * as FiberRefs from "effect/FiberRefs"
import * as Runtime from "effect/Runtime"
import * as RuntimeFlags from "effect/RuntimeFlags"
import * as Scope from "effect/Scope"
import { ParentSpan } from "effect/Tracer"
import type * as Http from "node:http"
import { connectionOf } from "../../core/connection.js"
import type { RequestFibers } from "../../drain/requestFibers.js"
import { withScheduler } from "../../effect/realTime.js"
import { endingWithDrain } from "../endEventStreams.js"
import { handled, type Write } from "./handled.js"
import { requestClass } from "./platformRequest.js"
import { scopeClass } from "./requestScope.js"
import * as Spans from "./spans.js"
import { write } from "./write.js"

export type RequestListener = (request: Http.IncomingMessage, response: Http.ServerResponse) => void

/** What has been found out about the platform, once for all servers. */
let known: {
  readonly Request: ReturnType<typeof requestClass>
  readonly RequestScope: ReturnType<typeof scopeClass>
} | undefined = undefined

/** As `PlatformNode.makeHandler`, with the runtime of whoever serves the app; nothing where its parts are unknown. */
export const make = (
  httpApp: HttpApp.Default<unknown>,
  middleware: HttpMiddleware | undefined,
  handlers: RequestFibers
): Effect.Effect<RequestListener | undefined> =>
  Effect.map(Effect.runtime<never>(), (runtime) => {
    known ??= { Request: requestClass(), RequestScope: scopeClass() }
    const { Request, RequestScope } = known
    if (Request === undefined || RequestScope === undefined) return undefined
    const writeEnding: Write = (request, response, isAwaited) =>
      write(request, endingWithDrain(response, request), isAwaited)
    const base = runtime.context.unsafeMap
    const spans = Spans.make(runtime)
    const { app, unreached } = handled(httpApp, { context: runtime.context, middleware, spans, write: writeEnding })
    const protectedApp = Effect.uninterruptible(app)
    // each fiber is given a context of its own
    const fiberRefs = withScheduler(FiberRefs.delete(runtime.fiberRefs, FiberRef.currentContext))
    // whoever serves must not be interrupted meanwhile; what is interrupted later ends as such
    const runtimeFlags = RuntimeFlags.enable(runtime.runtimeFlags, RuntimeFlags.Interruption)

    return (nodeRequest, nodeResponse) => {
      const request = new Request(nodeRequest, nodeResponse)
      const scope = new RequestScope()
      const services = new Map<string, unknown>(base)
      services.set(HttpServerRequest.key, request)
      services.set(Scope.Scope.key, scope)
      let effect = protectedApp
      try {
        scope.span = spans.begin(request)
        if (scope.span !== undefined) services.set(ParentSpan.key, scope.span)
      } catch (defect) {
        effect = Effect.uninterruptible(Effect.suspend(() => unreached(defect)))
      }
      const context = Context.unsafeMake<HttpServerRequest>(services)
      const fiber = Runtime.runFork(Runtime.make({ context, fiberRefs, runtimeFlags }), effect)
      if (fiber.unsafePoll() !== null) return
      const connection = connectionOf(nodeRequest.socket)
      if (connection !== undefined) {
        handlers.add(fiber, connection, ignore)
        // it began before the deadline, and nobody knew of it when the others were interrupted
        if (connection.registry.lifecycle.isAborting) fiber.unsafeInterruptAsFork(FiberId.none)
      }
      const abortable: Abortable = nodeResponse
      abortable[key] = fiber
      nodeResponse.on("close", abort)
    }
  })

const key = Symbol("quiesce/fiber")

interface Abortable extends Pick<Http.ServerResponse, "writableEnded"> {
  [key]?: Fiber.RuntimeFiber<unknown, unknown>
}

/** The client has left before it had its answer. */
function abort(this: Abortable): void {
  if (!this.writableEnded) this[key]?.unsafeInterruptAsFork(clientAbortFiberId)
}

const ignore = () => {}
