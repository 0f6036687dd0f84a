/** The Effect app of a history. */
import * as HttpServerRequest from "@effect/platform/HttpServerRequest"
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as HttpRouter from "../support/effect/httpRouter.js"
import { emitted } from "../support/effect/streams.js"
import { receive, writerOf } from "../support/sockets.js"
import type { RequestFact } from "./facts.js"
import type { HandlerControl } from "./handlerControl.js"
import type { Kind } from "./requests.js"
import { answerTo, doggedMillis, piece, pieces } from "./requests.js"

class Failed extends Data.TaggedError("Failed") {}

export const makeApp = (handlers: HandlerControl): HttpRouter.HttpRouter => {
  const run = Effect.flatMap(HttpServerRequest.HttpServerRequest, (request) =>
    Effect.suspend(() => {
      const fact = handlers.enter(request.url)
      if (fact === undefined) return Effect.succeed(HttpServerResponse.empty({ status: 404 }))
      return Effect.ensuring(answer(handlers, fact, request), Effect.sync(() => handlers.ended(fact)))
    }))
  return HttpRouter.empty.pipe(HttpRouter.all("/:id/:kind", Effect.orDie(run)))
}

const answer = (
  handlers: HandlerControl,
  fact: RequestFact,
  request: HttpServerRequest.HttpServerRequest
): Effect.Effect<HttpServerResponse.HttpServerResponse, unknown, Scope.Scope> => {
  switch (fact.kind) {
    case "held":
      return Effect.as(told(handlers, fact), whole(fact, fact.kind))
    case "masked":
      return Effect.as(Effect.uninterruptible(told(handlers, fact)), whole(fact, fact.kind))
    case "dogged":
      return Effect.as(
        Effect.onInterrupt(told(handlers, fact), () => Effect.sleep(doggedMillis)),
        whole(fact, fact.kind)
      )
    case "stream":
      return Effect.succeed(HttpServerResponse.stream(inPieces(handlers, fact)))
    case "echo":
      return request.text.pipe(
        Effect.onInterrupt(() => Effect.sync(() => handlers.interrupted(fact))),
        Effect.map((body) => {
          handlers.done(fact)
          return HttpServerResponse.text(`echo ${fact.id}: ${body}`)
        })
      )
    case "websocket":
      return echoed(request)
    case "echo upgrade":
    case "declined":
      return Effect.succeed(whole(fact, "quick"))
    case "quick":
    case "big":
    case "deaf":
      return Effect.succeed(whole(fact, fact.kind))
  }
}

const whole = (fact: RequestFact, kind: Kind) => HttpServerResponse.uint8Array(answerTo(fact.id, kind, fact.size))

/** Waits until it is told how to go on. */
const told = (handlers: HandlerControl, fact: RequestFact): Effect.Effect<void, Failed> =>
  Effect.async<void, Failed>((resume) => {
    handlers.wait(fact, (how) => {
      if (how === "piece") return
      handlers.waiting.delete(fact.id)
      handlers.done(fact, how !== "answer")
      resume(how === "answer" ? Effect.void : how === "fail" ? Effect.fail(new Failed()) : Effect.die("told to die"))
    })
    return Effect.sync(() => {
      handlers.waiting.delete(fact.id)
      handlers.interrupted(fact)
    })
  })

const inPieces = (handlers: HandlerControl, fact: RequestFact): Stream.Stream<Uint8Array, Failed> =>
  emitted<Uint8Array, Failed>((emit) =>
    Effect.acquireRelease(
      Effect.sync(() => {
        let n = 0
        handlers.live.add(fact.id)
        handlers.wait(fact, (how) => {
          if (how === "piece" || how === "answer") {
            do emit.single(Buffer.from(piece(fact.id, n++)))
            while (how === "answer" && n < pieces)
            if (n < pieces) return
            handlers.done(fact)
            emit.end()
          } else {
            handlers.broke(fact)
            if (how === "fail") emit.fail(new Failed())
            else emit.die("told to die")
          }
          handlers.waiting.delete(fact.id)
        })
      }),
      () =>
        Effect.sync(() => {
          handlers.interrupted(fact)
          handlers.ended(fact)
        })
    )
  )

const echoed = (request: HttpServerRequest.HttpServerRequest) =>
  Effect.gen(function*() {
    const socket = yield* request.upgrade
    const write = yield* writerOf(socket)
    yield* Effect.ignore(
      receive(socket, (data) => write(typeof data === "string" ? data : new TextDecoder().decode(data)))
    )
    return HttpServerResponse.empty()
  }).pipe(Effect.scoped)
