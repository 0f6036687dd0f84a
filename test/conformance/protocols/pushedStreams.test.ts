/** Streams that a server pushes (RFC 9113 §8.4) are owed to their client as any other answer. */
import { assert, describe, it } from "@effect/vitest"
import * as Http2 from "node:http2"
import { adopt, limit } from "../../scenarios/eventStreams/eventStreamServer.js"
import { waitFor } from "../../support/wait.js"

// Pins internal/node: pushStream

/** A client that keeps what is pushed to it. */
const connect = async (port: number) => {
  const session = Http2.connect(`http://127.0.0.1:${port}`)
  session.on("error", () => {})
  const pushed: Array<{ text: string; code: number | undefined }> = []
  session.on("stream", (stream) => {
    const one: { text: string; code: number | undefined } = { text: "", code: undefined }
    pushed.push(one)
    stream.setEncoding("utf8").on("data", (piece: string) => (one.text += piece)).on("error", () => {})
    stream.on("close", () => (one.code = stream.rstCode))
  })
  session.request({ ":path": "/" }).resume().on("error", () => {})
  await waitFor("the push", () => pushed[0]?.text.includes("begun"), limit)
  return { session, pushed }
}

const pushing = (end: (pushed: Http2.ServerHttp2Stream) => void) =>
  Http2.createServer().on("stream", (stream) => {
    stream.pushStream({ ":path": "/style.css" }, (error, pushed) => {
      if (error !== null) throw error
      pushed.on("error", () => {})
      pushed.respond({ ":status": 200 })
      pushed.write("begun ")
      end(pushed)
    })
    stream.respond({ ":status": 200 })
    stream.end("page")
  })

describe("a pushed stream", () => {
  it("that does not end is cut at the deadline, and in the report", async () => {
    const { port, stop } = await adopt(pushing(() => {}), { timeout: 300, killTimeout: 100 })
    const { session } = await connect(port)
    const { cut, outcome } = await stop()
    assert.strictEqual(outcome, "DeadlineExceeded")
    assert.deepStrictEqual(
      cut.map(({ clientReceived, method, path, stream }) => [method, path, clientReceived, stream]),
      [
        ["GET", "/style.css", "truncated", 2]
      ]
    )
    session.destroy()
  })

  it("that ends in the drain is sent to its end", async () => {
    const { port, stop } = await adopt(pushing((pushed) => setTimeout(() => pushed.end("whole"), 300)))
    const { pushed, session } = await connect(port)
    const { cut, outcome } = await stop()
    await waitFor("its end", () => pushed[0]?.code !== undefined, limit)
    assert.deepStrictEqual([cut, outcome, pushed], [[], "Drained", [{ text: "begun whole", code: 0 }]])
    session.destroy()
  })

  it("that is cut by close is in the report", async () => {
    const { port, server } = await adopt(pushing(() => {}))
    const { session } = await connect(port)
    const { cut, outcome } = await server.close()
    assert.deepStrictEqual([cut.map(({ path }) => path), outcome], [["/style.css"], "Closed"])
    session.destroy()
  })
})
