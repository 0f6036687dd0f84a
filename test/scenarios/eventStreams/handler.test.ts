/** What the handler of an event stream sees when a drain ends it: its client leaves. */
import { assert, describe, it } from "@effect/vitest"
import { Duration } from "effect"
import { once } from "node:events"
import * as Http2 from "node:http2"
import { PassThrough, Readable } from "node:stream"
import { pipeline } from "node:stream/promises"
import { deferred, waitFor } from "../../support/wait.js"
import { adopt, limit, protocols, read, serving } from "./eventStreamServer.js"

// Pins internal/node: abortControllerOf, corksOf, end, looksClosed, looksUnfinished, responseEmit, responseOf
// Pins internal/node: streamRespond, write

const events = { "content-type": "text/event-stream" }

/** All that comes on an emitter, in order. */
const heard = (emitter: NodeJS.EventEmitter, ...names: ReadonlyArray<string>): ReadonlyArray<string> => {
  const all: Array<string> = []
  for (const name of names) emitter.on(name, () => all.push(name))
  return all
}

/** Node says what is wrong with a write by an `error` that nobody listens for, or a rejection. */
const complaints = async (use: () => Promise<void>): Promise<ReadonlyArray<string>> => {
  const all: Array<string> = []
  const note = (error: unknown) => void all.push(String(error))
  process.on("uncaughtException", note).on("unhandledRejection", note)
  await use()
  await new Promise((resolve) => setTimeout(resolve, 50))
  process.off("uncaughtException", note).off("unhandledRejection", note)
  return all
}

describe.each(protocols)("over %s, a handler", (protocol) => {
  const isHttp1 = protocol === "http" || protocol === "https"

  it("hears that its client has left, of a response that it has not ended", async () => {
    const seen = deferred<ReadonlyArray<unknown>>()
    const requestHeard: Array<ReadonlyArray<string>> = []
    let signal: unknown
    const { port, stop } = await serving(protocol, (request, response) => {
      // a later Node has one
      signal = Reflect.get(request, "signal")
      response.writeHead(200, events)
      response.write("data: 1\n\n")
      requestHeard.push(heard(request, "aborted", "close"))
      response.on(
        "close",
        () => seen.resolve([response.writableEnded, response.writableFinished, request.listenerCount("x")])
      )
    })
    const reader = read(protocol, port)
    await reader.untilText("data: 1")
    await stop()
    assert.deepStrictEqual(await waitFor("the close of the response", seen.promise, limit), [false, false, 0])
    await waitFor("the close of the request", () => requestHeard[0]?.includes("close"), limit)
    assert.strictEqual(requestHeard[0]?.[0], "aborted")
    if (isHttp1 && signal instanceof AbortSignal) assert.isTrue(signal.aborted)
  })

  it("hears it once", async () => {
    const all: Array<ReadonlyArray<string>> = []
    const { port, stop } = await serving(protocol, (_, response) => {
      response.writeHead(200, events)
      response.write("data: 1\n\n")
      all.push(heard(response, "close", "finish", "error"))
    })
    const reader = read(protocol, port)
    await reader.untilText("data: 1")
    await stop()
    await new Promise((resolve) => setTimeout(resolve, 20))
    assert.deepStrictEqual(all[0]?.toSorted(), ["close", "finish"])
    // so that what forgets its abort controller when a response has finished has used it by then
    if (isHttp1) assert.strictEqual(all[0]?.[0], "close")
  })

  it("may write and end when it is over: nothing is thrown, nothing goes out, and its callbacks are called", async () => {
    const called: Array<string> = []
    const over = deferred()
    const found = await complaints(async () => {
      const { port, stop } = await serving(protocol, (_, response) => {
        response.writeHead(200, events)
        response.write("data: 1\n\n")
        const late = async () => {
          await once(response, "close")
          assert.strictEqual(response.write("data: late\n\n"), false)
          response.write("data: late\n\n", () => called.push("write"))
          response.write(Buffer.from("late"), "utf8", () => called.push("write with an encoding"))
          response.flushHeaders()
          Readable.from(["late", "later"]).pipe(response)
          assert.strictEqual(response.end("late", () => called.push("end")), response)
          response.end(() => called.push("another end"))
          await new Promise(setImmediate)
          await new Promise(setImmediate)
          over.resolve()
        }
        void late()
      })
      const reader = read(protocol, port)
      await reader.untilText("data: 1")
      const { endedStreams } = await stop()
      await waitFor("the late writes", over.promise, limit)
      assert.strictEqual(await reader.untilEnded(), "whole")
      assert.strictEqual(reader.text(), "data: 1\n\n")
      assert.strictEqual(endedStreams.length, 1)
    })
    assert.deepStrictEqual(found, [])
    assert.deepStrictEqual(called, ["write", "write with an encoding", "end", "another end"])
  })

  it("may go on writing for as long as it likes: nothing of it goes out, and nothing waits for it", async () => {
    const found = await complaints(async () => {
      const { port, stop } = await serving(protocol, (_, response) => {
        response.writeHead(200, events)
        let n = 0
        const timer = setInterval(() => response.write(`data: ${++n}\n\n`), 1)
        setTimeout(() => clearInterval(timer), 400)
      })
      const reader = read(protocol, port)
      await reader.untilText("data: 2")
      const { draining, cut } = await stop()
      assert.strictEqual(await reader.untilEnded(), "whole")
      assert.match(reader.text(), /^(data: \d+\n\n)+$/)
      assert.deepStrictEqual(cut, [])
      assert.isBelow(Duration.toMillis(draining), 2500)
      await new Promise((resolve) => setTimeout(resolve, 100))
    })
    assert.deepStrictEqual(found, [])
  })

  it("that writes from the callbacks of its writes, without end, stops nothing", async () => {
    let stopped = false
    const { port, stop } = await serving(protocol, (_, response) => {
      response.writeHead(200, events)
      response.write("data: 1\n\n")
      const again = () => {
        if (!stopped) response.write("data: 2\n\n", again)
      }
      response.on("close", again)
    })
    const reader = read(protocol, port)
    await reader.untilText("data: 1")
    const { outcome } = await stop()
    stopped = true
    assert.strictEqual(outcome, "Drained")
  })

  it("whose client reads slowly has all that it had written sent", async () => {
    const size = 3_000_000
    const { port, server, stop } = await serving(protocol, (_, response) => {
      response.writeHead(200, events)
      response.write(`data: ${"x".repeat(size)}\n\n`)
    }, { timeout: 10_000 })
    const reader = read(protocol, port)
    await reader.untilText("data: ")
    reader.pause()
    const stopped = stop()
    // the kernel may hold all of it, and then the drain is short
    await waitFor("the shutdown to begin", () => server.phase() !== "Serving", limit)
    await new Promise((resolve) => setTimeout(resolve, 100))
    reader.resume()
    assert.strictEqual(await reader.untilEnded(), "whole")
    assert.strictEqual(reader.text().length, "data: \n\n".length + size)
    assert.strictEqual((await stopped).endedStreams.length, 1)
  })

  it("whose client never reads is cut at the deadline, and is no stream that has ended", async () => {
    const { port, stop } = await serving(protocol, (_, response) => {
      response.writeHead(200, events)
      response.write(`data: ${"x".repeat(30_000_000)}\n\n`)
    }, { timeout: 300, killTimeout: 100 })
    const reader = read(protocol, port)
    await reader.untilText("data: ")
    reader.pause()
    const { cut, endedStreams, outcome } = await stop()
    assert.deepStrictEqual([outcome, endedStreams.length, cut.map(({ clientReceived }) => clientReceived)], [
      "DeadlineExceeded",
      0,
      [
        "truncated"
      ]
    ])
    reader.leave()
  })

  it("whose client has left by itself is none", async () => {
    const gone = deferred()
    const { port, stop } = await serving(protocol, (_, response) => {
      response.writeHead(200, events)
      response.write("data: 1\n\n")
      response.on("close", gone.resolve)
    })
    const reader = read(protocol, port)
    await reader.untilText("data: 1")
    reader.leave()
    await waitFor("the client to be gone", gone.promise, limit)
    assert.deepStrictEqual((await stop()).endedStreams, [])
  })

  it("that has corked its response has what it wrote sent", async () => {
    const { port, stop } = await serving(protocol, (_, response) => {
      response.writeHead(200, events)
      response.write("data: 1\n\n")
      if (!isHttp1) return
      setTimeout(() => {
        response.cork()
        response.write("data: 2\n\n")
      }, 10)
    })
    const reader = read(protocol, port)
    await reader.untilText("data: 1")
    await new Promise((resolve) => setTimeout(resolve, 20))
    await stop()
    assert.strictEqual(await reader.untilEnded(), "whole")
    assert.strictEqual(reader.text(), isHttp1 ? "data: 1\n\ndata: 2\n\n" : "data: 1\n\n")
  })

  it("that ends when it sees its client leave does no harm", async () => {
    const { port, stop } = await serving(protocol, (request, response) => {
      response.writeHead(200, events)
      response.write("data: 1\n\n")
      for (const emitter of [request, response]) emitter.on("close", () => response.end("data: bye\n\n"))
      request.on("aborted", () => response.destroy())
    })
    const reader = read(protocol, port)
    await reader.untilText("data: 1")
    const { outcome } = await stop()
    assert.deepStrictEqual([await reader.untilEnded(), reader.text(), outcome], ["whole", "data: 1\n\n", "Drained"])
  })
})

describe("what is piped into an event stream", () => {
  it("by pipeline is destroyed, and by pipe is let go of", async () => {
    const sources: Array<PassThrough> = []
    const failures: Array<unknown> = []
    const { port, stop } = await serving("http", (request, response) => {
      response.writeHead(200, events)
      const source = new PassThrough()
      source.write("data: 1\n\n")
      sources.push(source)
      if (request.url === "/pipe") source.pipe(response)
      else pipeline(source, response).catch((error: unknown) => failures.push((error as NodeJS.ErrnoException).code))
    })
    const readers = [read("http", port, { path: "/pipe" })]
    await readers[0]!.untilText("data: 1")
    readers.push(read("http", port, { path: "/pipeline" }))
    await readers[1]!.untilText("data: 1")
    await stop()
    for (const reader of readers) assert.strictEqual(await reader.untilEnded(), "whole")
    await waitFor("the pipeline to end", () => failures.length > 0, limit)
    assert.deepStrictEqual(failures, ["ERR_STREAM_PREMATURE_CLOSE"])
    assert.deepStrictEqual(sources.map(({ destroyed }) => destroyed), [false, true])
    assert.strictEqual(sources[0]!.listenerCount("data"), 0)
  })
})

describe("a stream of HTTP/2 itself", () => {
  it.each(
    [["content-type", "text/event-stream"], ["Content-Type", "text/event-stream; charset=utf-8"]] as const
  )("with %s: %s ends, and what is written after that is dropped", async (name, value) => {
    const all: Array<ReadonlyArray<string>> = []
    const closed = deferred()
    const found = await complaints(async () => {
      const node = Http2.createServer().on("stream", (stream) => {
        all.push(heard(stream, "aborted", "close"))
        stream.respond({ ":status": 200, [name]: value })
        stream.write("data: 1\n\n")
        const timer = setInterval(() => stream.write("data: 2\n\n"), 5)
        stream.on("close", () => {
          setTimeout(() => clearInterval(timer), 50)
          stream.end("late")
          closed.resolve()
        })
      })
      const { port, stop } = await adopt(node)
      const reader = read("h2c", port)
      await reader.untilText("data: 1")
      const { endedStreams, outcome } = await stop()
      assert.strictEqual(await reader.untilEnded(), "whole")
      assert.deepStrictEqual([endedStreams.length, endedStreams[0]?.stream, outcome], [1, 1, "Drained"])
      await waitFor("the close", closed.promise, limit)
    })
    assert.deepStrictEqual(found, [])
    assert.deepStrictEqual(all[0], ["aborted", "close"])
  })
})
