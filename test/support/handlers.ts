/**
 * An app whose requests do what a test tells them to: wait until they are released, never end, ignore interruption.
 */
import * as HttpServerRequest from "@effect/platform/HttpServerRequest"
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import * as HttpRouter from "./effect/httpRouter.js"
import { client, get, type RunOptions, send, serving, until } from "./running.js"

/** Where requests wait, and how they have ended. */
export interface Gate {
  readonly started: number
  readonly passed: number
  readonly interrupted: number
  /** Lets all pass that wait, and all that come. */
  readonly open: Effect.Effect<void>
  /** Suspends the request until the gate is opened. */
  readonly pass: Effect.Effect<void>
  readonly untilStarted: (count: number) => Effect.Effect<void>
}

export const makeGate = (): Gate => {
  const latch = Effect.unsafeMakeLatch(false)
  let started = 0
  let passed = 0
  let interrupted = 0
  return {
    get started() {
      return started
    },
    get passed() {
      return passed
    },
    get interrupted() {
      return interrupted
    },
    open: Effect.asVoid(latch.open),
    pass: Effect.suspend(() => {
      started++
      return latch.await
    }).pipe(
      Effect.tap(() => Effect.sync(() => passed++)),
      Effect.onInterrupt(() => Effect.sync(() => interrupted++))
    ),
    untilStarted: (count) =>
      Effect.asVoid(until(() => `${count} requests at the gate, of ${started}`, () => started >= count))
  }
}

/** The app, the gate that its requests wait at, and what they have executed. */
export const makeApp = () => {
  const gate = makeGate()
  const executed: Array<string> = []
  const chunk = (text: string) => new TextEncoder().encode(text)
  const app = HttpRouter.empty.pipe(
    HttpRouter.get("/", HttpServerResponse.text("ok")),
    HttpRouter.get("/hold", Effect.as(gate.pass, HttpServerResponse.text("held"))),
    // a first chunk at once, the rest when the gate opens
    HttpRouter.get(
      "/stream",
      Effect.sync(() =>
        HttpServerResponse.stream(
          Stream.concat(Stream.make(chunk("first ")), Stream.fromEffect(Effect.as(gate.pass, chunk("last"))))
        )
      )
    ),
    HttpRouter.post(
      "/echo",
      Effect.gen(function*() {
        const request = yield* HttpServerRequest.HttpServerRequest
        const body = yield* request.text
        executed.push(body)
        return HttpServerResponse.text(body)
      })
    ),
    HttpRouter.get("/die", Effect.dieMessage("a defect")),
    HttpRouter.get(
      "/stubborn",
      Effect.uninterruptible(Effect.as(gate.pass, HttpServerResponse.text("stubborn")))
    ),
    // interrupted, it waits at the gate in its finalizer
    HttpRouter.get("/finalizer", Effect.never.pipe(Effect.onInterrupt(() => gate.pass)))
  )
  return { app, gate, executed }
}

/** The app on a server, and a client whose request waits at the gate: of `/hold`, or of another path that leads there. */
export const servingHeld = (options?: RunOptions, path = "/hold") =>
  Effect.gen(function*() {
    const { app, gate } = makeApp()
    const running = yield* serving(app, options)
    const held = yield* client(running.target)
    yield* send(held, get(path))
    yield* gate.untilStarted(1)
    return { gate, held, running }
  })
