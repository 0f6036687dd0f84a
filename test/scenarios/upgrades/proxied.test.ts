/**
 * WebSockets that no library which we know has made: a raw `upgrade` handler pipes them to another server. Their peers are
 * told by a close frame between two messages.
 */
import { assert, describe, it } from "@effect/vitest"
import { createHash } from "node:crypto"
import * as Http from "node:http"
import * as Https from "node:https"
import * as Net from "node:net"
import { afterEach } from "vitest"
import { WebSocket, WebSocketServer } from "ws"
import { quiesce, type Report } from "../../../src/promise.js"
import { certificate } from "../../support/certificate.js"
import { portOf } from "../../support/nodeServer.js"
import { pace, waitFor } from "../../support/wait.js"

// Pins internal/node: socketEnd, socketWrite

const limit = 15_000

const opened: Array<() => void> = []

afterEach(() => {
  for (const close of opened.splice(0)) close()
})

const listening = async <S extends Net.Server>(server: S): Promise<S> => {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  opened.push(() => server.close())
  return server
}

/** Another server, which knows nothing of the one in front of it. It repeats what it is told. */
const upstream = async () => {
  const node = await listening(Http.createServer())
  const sockets = new WebSocketServer({ server: node, perMessageDeflate: true })
  sockets.on(
    "connection",
    (socket) => socket.on("message", (data, isBinary) => socket.send(data, { binary: isBinary }))
  )
  opened.push(() => sockets.clients.forEach((socket) => socket.terminate()))
  return { port: portOf(node), sockets }
}

/** Connects to where the WebSocket is, and says so with the same head. */
const reconnected = (request: Http.IncomingMessage, port: number): Net.Socket => {
  const to = Net.connect(port, "127.0.0.1")
  const head = request.rawHeaders.flatMap((name, at, all) => at % 2 === 0 ? [`${name}: ${all[at + 1]}`] : [])
  to.write(`${request.method} ${request.url} HTTP/1.1\r\n${head.join("\r\n")}\r\n\r\n`)
  return to.on("error", () => {})
}

/** As proxies do it: both ways, and each end ends the other. */
const piping = (port: number) => (request: Http.IncomingMessage, socket: Net.Socket) => {
  const to = reconnected(request, port)
  to.pipe(socket).pipe(to)
  socket.on("close", () => to.destroy())
}

const inFront = async (
  node: Http.Server | Https.Server,
  upgrade: (request: Http.IncomingMessage, socket: Net.Socket) => void,
  options = {}
) => {
  await listening((node as Net.Server).on("upgrade", upgrade))
  const server = quiesce(node, { timeout: 3000, killTimeout: 100, idleGrace: 0, logger: false, ...options })
  return { port: portOf(node), stop: (): Promise<Report> => waitFor("the report", server.shutdown(), limit) }
}

const connect = async (origin: string) => {
  const socket = new WebSocket(origin, { ca: certificate.cert })
  opened.push(() => socket.terminate())
  const heard: Array<string> = []
  const errors: Array<string> = []
  socket.on("message", (message: Buffer) => heard.push(message.toString())).on("error", ({ message }) => {
    errors.push(message)
  })
  const closed = new Promise<readonly [number, string]>((resolve) => {
    socket.once("close", (code, reason) => resolve([code, reason.toString()]))
  })
  await waitFor("the WebSocket to open", new Promise((resolve) => socket.once("open", resolve)), limit)
  return {
    socket,
    heard,
    errors,
    closed: () => waitFor("the WebSocket to close", closed, limit),
    hears: (count: number) => waitFor(`${count} messages`, () => heard.length >= count, limit)
  }
}

const goingAway = [1001, "the server is shutting down"] as const

const fronts = [
  ["ws", () => Http.createServer()],
  ["wss", () => Https.createServer(certificate)]
] as const

describe.each(fronts)("a WebSocket over %s that is piped to another server", (scheme, front) => {
  it("is told to leave, and its drain waits no longer than that", async () => {
    const { port: to } = await upstream()
    const { port, stop } = await inFront(front(), piping(to))
    const peer = await connect(`${scheme}://127.0.0.1:${port}`)
    peer.socket.send("hello")
    await peer.hears(1)
    const report = await stop()
    assert.deepStrictEqual([await peer.closed(), peer.heard, peer.errors], [goingAway, ["hello"], []])
    assert.deepStrictEqual([report.outcome, report.forceClosed, report.connections.cut], ["Drained", [], 0])
  })
})

describe("what is in the middle of a frame", () => {
  /** A message of 200,000 bytes, and one behind it. */
  const long = Buffer.concat([
    Buffer.from([0x82, 127, 0, 0, 0, 0, 0, 3, 0x0d, 0x40]),
    Buffer.alloc(200_000, "a")
  ])
  const late = Buffer.from([0x81, 4, ...Buffer.from("late")])

  it("is sent to the end of that frame; what comes behind it is dropped", async () => {
    const { port: to } = await upstream()
    let socket: Net.Socket | undefined
    const { port, stop } = await inFront(Http.createServer(), (request: Http.IncomingMessage, own: Net.Socket) => {
      socket = own
      const accepted = reconnected(request, to)
      // its answer goes through, and from then on the frames are ours
      accepted.once("data", (head) => own.write(head))
      own.pipe(accepted).on("close", () => own.end())
    })
    const peer = await connect(`ws://127.0.0.1:${port}`)
    const sizes: Array<number> = []
    peer.socket.on("message", (message: Buffer) => sizes.push(message.length))
    socket?.write(long.subarray(0, 5))
    const stopped = stop()
    await pace(100)
    assert.deepStrictEqual(sizes, [])
    const written: Array<string> = []
    const pieces = Array.from({ length: 6 }, (_, nth) => long.subarray(5 + nth * 40_000, 5 + (nth + 1) * 40_000))
    for (const piece of [...pieces, late]) socket?.write(piece, () => written.push("written"))
    assert.deepStrictEqual([await peer.closed(), sizes, peer.errors], [goingAway, [200_000], []])
    await waitFor("all writes to be called back", () => written.length === 7, limit)
    assert.strictEqual((await stopped).outcome, "Drained")
  })
})

describe("what is in the middle of a message", () => {
  const frame = (first: number, payload: string) =>
    Buffer.concat([Buffer.from([first, payload.length]), Buffer.from(payload)])

  /** A peer whose server is written by hand, and a shutdown that has asked it to leave in the middle of `begun`. */
  const askedAfter = async (begun: Buffer) => {
    const { port: to } = await upstream()
    const sockets: Array<Net.Socket> = []
    const { port, stop } = await inFront(Http.createServer(), (request: Http.IncomingMessage, own: Net.Socket) => {
      sockets.push(own)
      const accepted = reconnected(request, to)
      accepted.once("data", (head) => own.write(head))
      own.pipe(accepted).on("close", () => own.end())
    })
    const peer = await connect(`ws://127.0.0.1:${port}`)
    const [socket] = sockets
    socket?.write(begun)
    // connections are asked in the order in which they came
    const next = await connect(`ws://127.0.0.1:${port}`)
    const stopped = stop()
    await next.closed()
    return { peer, stopped, write: (...pieces: ReadonlyArray<Buffer>) => void socket?.write(Buffer.concat(pieces)) }
  }

  it("is sent to its last fragment, also where pings come between them", async () => {
    const { peer, stopped, write } = await askedAfter(frame(0x01, "a mes"))
    assert.deepStrictEqual(peer.heard, [])
    write(frame(0x89, "ping"))
    write(frame(0x00, "sage "))
    write(frame(0x80, "whole"))
    write(frame(0x81, "late"))
    assert.deepStrictEqual([await peer.closed(), peer.heard, peer.errors], [goingAway, ["a message whole"], []])
    assert.strictEqual((await stopped).outcome, "Drained")
  })

  it("is sent with those that are written with its end, but for one that does not end with them", async () => {
    const { peer, stopped, write } = await askedAfter(frame(0x81, "one").subarray(0, 3))
    write(frame(0x81, "one").subarray(3), frame(0x81, "two"), frame(0x01, "th"), frame(0x80, "ree"), frame(0x01, "fo"))
    write(frame(0x80, "ur"))
    assert.deepStrictEqual([await peer.closed(), peer.heard, peer.errors], [goingAway, ["one", "two", "three"], []])
    assert.strictEqual((await stopped).outcome, "Drained")
  })

  it("is sent with its own close frame behind it, and none of ours", async () => {
    const { peer, stopped, write } = await askedAfter(frame(0x01, "a mes"))
    write(frame(0x80, "sage"), Buffer.from([0x88, 2, 0x0f, 0xa0]))
    assert.deepStrictEqual([await peer.closed(), peer.heard, peer.errors], [[4000, ""], ["a message"], []])
    assert.strictEqual((await stopped).outcome, "Drained")
  })
})

describe("what a handler ends it with", () => {
  const accepted = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"
  const text = (payload: string) => Buffer.concat([Buffer.from([0x81, payload.length]), Buffer.from(payload)])
  const accepting = (handle: (socket: Net.Socket) => void) => (request: Http.IncomingMessage, socket: Net.Socket) => {
    const key = `${request.headers["sec-websocket-key"]}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`
    const accept = createHash("sha1").update(key).digest("base64")
    socket.write(accepted.replace(/\r\n$/, `Sec-WebSocket-Accept: ${accept}\r\n\r\n`))
    handle(socket)
  }
  const closing = Buffer.from([0x88, 2, 0x03, 0xe8])

  it.each([["text", text("late")], ["its own close frame", closing]])(
    "is dropped where that comes behind the close frame: %s",
    async (_, last) => {
      let isEnded = false
      const answering = accepting((socket) =>
        socket.once("data", () =>
          socket.end(last, () => {
            isEnded = true
          }))
      )
      const { port, stop } = await inFront(Http.createServer(), answering)
      const own = Net.connect(port, "127.0.0.1")
      opened.push(() => own.destroy())
      const bytes: Array<Buffer> = []
      own.on("data", (data) => bytes.push(data)).on("error", () => {})
      const received = () => Buffer.concat(bytes).toString("latin1")
      own.write(
        "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
          + "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
      )
      await waitFor("the answer", () => received().includes("\r\n\r\n"), limit)
      const ended = new Promise((resolve) => own.once("end", resolve))
      const stopped = stop()
      await waitFor("the close frame", () => received().endsWith(goingAway[1]), limit)
      own.write(Buffer.from([0x88, 0x82, 0, 0, 0, 0, 0x03, 0xe9]))
      await waitFor("the end", ended, limit)
      assert.isTrue(received().endsWith(goingAway[1]), received())
      await waitFor("end to be called back", () => isEnded, limit)
      assert.strictEqual((await stopped).outcome, "Drained")
    }
  )

  it("is sent before that, in whatever encoding", async () => {
    const ending = accepting((socket) => {
      const hello = text("hello")
      socket.write(hello.subarray(0, 4))
      socket.end(Buffer.concat([hello.subarray(4), closing]).toString("latin1"), "latin1")
    })
    const { port, stop } = await inFront(Http.createServer(), ending)
    const peer = await connect(`ws://127.0.0.1:${port}`)
    assert.deepStrictEqual([await peer.closed(), peer.heard, peer.errors], [[1000, ""], ["hello"], []])
    assert.strictEqual((await stop()).outcome, "Drained")
  })
})

describe("one of several protocols that its client offers", () => {
  const offered = async (port: number) => {
    const socket = Net.connect(port, "127.0.0.1")
    opened.push(() => socket.destroy())
    let text = ""
    socket.on("data", (data) => (text += data.toString("latin1"))).on("error", () => {})
    socket.write("GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: other, WebSocket\r\n\r\n")
    await waitFor("the answer", () => text.includes("\r\n\r\n"), limit)
    return { socket, frames: () => text.slice(text.indexOf("\r\n\r\n") + 4) }
  }
  const speaking = (protocol: string) => (_: Http.IncomingMessage, socket: Net.Socket) => {
    socket.write(`HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: ${protocol}\r\n\r\n`)
    socket.once("data", () => socket.end())
  }

  it("is told, where it is a WebSocket", async () => {
    const { port, stop } = await inFront(Http.createServer(), speaking("websocket"))
    const { frames, socket } = await offered(port)
    const stopped = stop()
    await waitFor("the close frame", () => frames().endsWith(goingAway[1]), limit)
    socket.write(Buffer.from([0x88, 0x82, 0, 0, 0, 0, 0x03, 0xe9]))
    assert.strictEqual((await stopped).outcome, "Drained")
  })

  it("is not, where it is none", async () => {
    const { port, stop } = await inFront(Http.createServer(), speaking("other"), { timeout: 300 })
    const { frames } = await offered(port)
    assert.lengthOf((await stop()).forceClosed, 1)
    assert.strictEqual(frames(), "")
  })
})

describe("what is not to be told", () => {
  it("an answer that declines the upgrade, and a protocol that is none", async () => {
    const { port, stop } = await inFront(Http.createServer(), (request: Http.IncomingMessage, socket: Net.Socket) => {
      socket.write(
        request.url === "/declined"
          ? "HTTP/1.1 403 Forbidden\r\nContent-Length: 5\r\n\r\n"
          : "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"
      )
      socket.write("no")
    }, { timeout: 300 })
    const bodies = await Promise.all(["/declined", "/other"].map(async (path) => {
      const socket = Net.connect(port, "127.0.0.1")
      opened.push(() => socket.destroy())
      let text = ""
      socket.on("data", (data) => (text += data.toString("latin1"))).on("error", () => {})
      const closed = new Promise((resolve) => socket.on("close", resolve))
      socket.write(
        `GET ${path} HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n`
          + "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
      )
      await waitFor("the answer", () => text.endsWith("no"), limit)
      return { text: () => text, closed }
    }))
    const { forceClosed } = await stop()
    await waitFor("both to be closed", Promise.all(bodies.map(({ closed }) => closed)), limit)
    assert.deepStrictEqual(bodies.map(({ text }) => text().split("\r\n\r\n")[1]), ["no", "no"])
    assert.strictEqual(forceClosed.length, 2)
  })

  it("one whose own server has told it", async () => {
    const { port: to, sockets } = await upstream()
    const { port, stop } = await inFront(Http.createServer(), piping(to))
    const peer = await connect(`ws://127.0.0.1:${port}`)
    sockets.clients.forEach((socket) => socket.close(4000, "by its own server"))
    await stop()
    assert.deepStrictEqual([await peer.closed(), peer.errors], [[4000, "by its own server"], []])
  })
})
