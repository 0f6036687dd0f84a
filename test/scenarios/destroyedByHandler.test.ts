import * as HttpServer from "@effect/platform/HttpServer"
import * as HttpServerRequest from "@effect/platform/HttpServerRequest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { createServer } from "node:http"
import * as Http2 from "node:http2"
import * as Net from "node:net"
import { describe, expect, it } from "vitest"
import { NodeHttpServer } from "../../src/index.js"
import { responseOf } from "../../src/internal/effect/httpApps.js"
import { launch, limit, targetOf } from "../support/running.js"
import { deferred, waitFor } from "../support/wait.js"

// Pins internal/node: responseDestroy

// Interrupted at the deadline, a response that has begun is ended (by Effect 3) or destroyed (by Effect 4, and by handlers
// of their own accord). Neither is the end of a whole response, and neither is its client's doing.

const app = Effect.flatMap(HttpServerRequest.HttpServerRequest, (request) => {
  const response = responseOf(request)
  response.writeHead(200)
  response.write("half")
  return Effect.onInterrupt(Effect.never, () => {
    response.destroy()
    // nobody ends it after that
    return Effect.never
  })
}).pipe(Effect.interruptible)

const head = "GET /cut HTTP/1.1\r\nhost: a\r\n\r\n"

const wires = {
  "HTTP/1.1": {
    node: () => createServer(),
    /** Sends a request, reads half of its response, and returns what checks how that ends. */
    request: async (port: number) => {
      const socket = Net.connect(port, "127.0.0.1", () => socket.write(head))
      const ended = deferred<string>()
      let text = ""
      socket.on("error", () => {}).on("data", (bytes) => text += String(bytes)).on("close", () => ended.resolve(text))
      await waitFor("half of the response", () => text.includes("half"), limit)
      return async () => expect(await ended.promise).not.toMatch(/\r\n0\r\n\r\n$/)
    }
  },
  "HTTP/2": {
    node: () => Http2.createServer(),
    request: async (port: number) => {
      const session = Http2.connect(`http://127.0.0.1:${port}`).on("error", () => {})
      const stream = session.request({ ":path": "/cut" }).on("error", () => {})
      const ended = deferred<unknown>()
      let text = ""
      stream.on("data", (bytes) => text += String(bytes)).on("close", () => ended.resolve(stream.rstCode))
      await waitFor("half of the response", () => text === "half", limit)
      return async () => {
        expect(await ended.promise).toBe(Http2.constants.NGHTTP2_INTERNAL_ERROR)
        session.destroy()
      }
    }
  }
}

describe("a response that its handler destroys when it is interrupted", () => {
  for (const [wire, { node, request }] of Object.entries(wires)) {
    it(`is reported as truncated at the deadline, over ${wire}`, () =>
      Effect.runPromise(Effect.scoped(Effect.gen(function*() {
        const running = yield* launch(
          HttpServer.serve(app).pipe(Layer.provideMerge(
            NodeHttpServer.layer(node, { host: "127.0.0.1", port: 0, timeout: 200, killTimeout: 100 })
          )),
          (context) => targetOf(Context.get(context, HttpServer.HttpServer).address)
        )
        if (!("port" in running.target)) throw new Error("no port")
        const { port } = running.target
        const checkEnd = yield* Effect.promise(() => request(port))
        const report = yield* running.stop
        yield* Effect.promise(checkEnd)
        expect(report).toMatchObject({
          outcome: "DeadlineExceeded",
          cut: [{ path: "/cut", clientReceived: "truncated" }]
        })
        expect(report.cut[0]).not.toHaveProperty("by")
      }))))
  }
})
