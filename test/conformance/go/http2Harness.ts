/** A plain HTTP/2 server with Go's numbers, and clients that speak to it frame by frame. */
import * as HttpServer from "@effect/platform/HttpServer"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import * as Http2 from "node:http2"
import { NodeHttpServer, Shutdown } from "../../../src/index.js"
import type { HttpApp } from "../../support/effect/apps.js"
import type { FramesClient, FrameType } from "../../support/http2Frames.js"
import * as Frames from "../../support/http2Frames.js"
import { launch, limit, type Running, targetOf, until } from "../../support/running.js"
import { loopback, type Observed, serveNode, type ServeOptions } from "./harness.js"

export type Handler = (request: Http2.Http2ServerRequest, response: Http2.Http2ServerResponse) => void

export interface Observed2 extends Observed<Http2.Http2Server> {
  /** In the order of their making. */
  readonly sessions: ReadonlyArray<Http2.ServerHttp2Session>
}

export const ok: Handler = (_, response) => void response.end("ok")

/** Cleartext: clients know that it speaks HTTP/2. */
export const serve2 = (
  handler: Handler,
  { prepare, ...options }: ServeOptions<Http2.Http2Server> = {}
): Effect.Effect<Observed2, unknown, Scope.Scope> =>
  Effect.suspend(() => {
    const sessions: Array<Http2.ServerHttp2Session> = []
    const served = serveNode(Http2.createServer(handler), {
      ...options,
      prepare: (node) => {
        node.on("session", (session) => sessions.push(session))
        prepare?.(node)
      }
    })
    return Effect.map(served, (observed) => ({ ...observed, sessions }))
  })

/** A handler that answers the requests, in the order of their coming, when the test says so. */
export const holding2 = () => {
  const held: Array<Http2.Http2ServerResponse> = []
  return {
    handler: (_: Http2.Http2ServerRequest, response: Http2.Http2ServerResponse) => void held.push(response),
    held,
    release: () => {
      for (const response of held.splice(0)) response.end("held")
    },
    untilHeld: (count: number) =>
      Effect.asVoid(until(() => `${count} requests, of ${held.length}`, () => held.length >= count))
  }
}

/** An Effect app, over cleartext as well. */
export const serveApp = <E>(
  app: HttpApp<E>,
  policy: Shutdown.Policy = {}
): Effect.Effect<Running, unknown, Scope.Scope> =>
  Effect.suspend(() => {
    const node = Http2.createServer()
    return launch(
      Layer.provideMerge(
        HttpServer.serve(app),
        NodeHttpServer.layer(() => node, { ...loopback, ...Shutdown.goPolicy, ...policy })
      ),
      (context) => targetOf(Context.get(context, HttpServer.HttpServer).address)
    )
  })

/** A client that is gone when the test is over. */
export const http2Client = (
  { target }: Pick<Running, "target">,
  options?: Frames.ConnectOptions
): Effect.Effect<FramesClient, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.promise(() => Frames.connect(target, options)),
    (client) => Effect.sync(client.leave)
  )

export const write = (client: FramesClient, ...pieces: ReadonlyArray<Buffer>): Effect.Effect<void> =>
  Effect.promise(() => client.write(...pieces))

/** Waits until the server has taken in all that the client has written. */
export const untilTaken = (client: FramesClient): Effect.Effect<void> => Effect.promise(() => client.untilTaken(limit))

export const response2 = (client: FramesClient, stream: number) =>
  Effect.promise(() => client.untilResponse(stream, limit))

export const frameOf = (client: FramesClient, type: FrameType, stream = 0) =>
  Effect.promise(() => client.untilFrame(type, stream, limit))

export const untilEnded = (client: FramesClient) => Effect.promise(() => client.untilEnded(limit))

/**
 * What the GOAWAYs of a client said: each the last stream, and the error code. Node repeats the last one when it closes
 * a session that has been told to leave, as its last frame of all: that is left out.
 */
export const goawaysOf = (client: FramesClient): ReadonlyArray<readonly [lastStream: number, code: number]> => {
  const all = client.of("GOAWAY")
  const [before, last] = all.slice(-2)
  const isRepeated = last !== undefined && before?.payload.equals(last.payload) === true &&
    client.frames.at(-1) === last
  return (isRepeated ? all.slice(0, -1) : all).map((frame) => [Frames.lastStreamOf(frame), Frames.codeOf(frame)])
}
