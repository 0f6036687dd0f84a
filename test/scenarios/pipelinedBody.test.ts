import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { client, get, plain, post, responses, send, until } from "../support/running.js"

// A request with a body, and another behind it in the same packet: Node lets callbacks run between the body and what
// follows it, when nobody can know yet that the first answer is not the last.

describe("a request behind one that has a body, in the same packet", () => {
  it.scoped("is answered while draining, though the first was answered before its body had been read", () =>
    Effect.gen(function*() {
      let finish = () => {}
      const running = yield* plain((request, response) => {
        if (request.url !== "/held") return void response.end(request.url)
        finish = () => void response.end("held")
      }, { newConnectionGrace: "1 minute" })
      const held = yield* client(running.target)
      yield* send(held, get("/held"))
      const raws = yield* Effect.all(Array.from({ length: 10 }, () => client(running.target)))
      yield* until("all to be accepted", () => Effect.runSync(running.server.connections).length === 11)
      yield* running.drain
      for (const raw of raws) {
        yield* send(raw, post("/first", "hello"), get("/second"))
        const [first, second] = yield* responses(raw, 2)
        expect(first).toMatchObject({ status: 200, body: Buffer.from("/first") })
        expect(first?.headers["connection"]).not.toBe("close")
        expect(second).toMatchObject({ status: 200, body: Buffer.from("/second"), headers: { connection: "close" } })
      }
      finish()
      yield* responses(held, 1)
      expect(yield* running.report).toMatchObject({ outcome: "Drained", served: 21, cut: [] })
    }))
})
