import { fastify } from "fastify"
import { Worker } from "node:cluster"
import { Console } from "node:console"
import { once } from "node:events"
import * as Fs from "node:fs"
import * as Http from "node:http"
import * as Http2 from "node:http2"
import { register } from "node:module"
import * as Net from "node:net"
import * as Os from "node:os"
import * as Path from "node:path"
import { PassThrough, Stream } from "node:stream"
import * as Tls from "node:tls"
import * as Tty from "node:tty"
import { Worker as Thread } from "node:worker_threads"
import { afterEach, describe, expect, it } from "vitest"
import { WebSocket, WebSocketServer } from "ws"
import * as Internals from "../../../src/internal/node/internals.js"
import * as Patch from "../../../src/internal/node/patch.js"
import { quiesce } from "../../../src/promise.js"
import { certificate } from "../../support/certificate.js"
import { limit } from "../../support/running.js"
import { deferred, waitFor } from "../../support/wait.js"
import { entriesOf, type Entry, hasSince, pinnedBy, pins, root } from "./entries.js"

// What we depend on of Node's insides is there, on this version of Node; and does no harm where it is not.

const reads = entriesOf("internals.ts")
const replacements = entriesOf("patch.ts")

const opened: Array<() => void> = []
afterEach(() => {
  for (const close of opened.splice(0)) close()
})

const portOf = (server: Net.Server) => (server.address() as Net.AddressInfo).port

const listening = async <Server extends Net.Server>(
  server: Server,
  options: Net.ListenOptions = {}
): Promise<Server> => {
  opened.push(() => server.close())
  await once(server.listen({ port: 0, host: "127.0.0.1", ...options }), "listening")
  return server
}

const connected = async (server: Net.Server | string): Promise<Net.Socket> => {
  const client = typeof server === "string" ? Net.connect(server) : Net.connect(portOf(server), "127.0.0.1")
  client.on("error", ignore)
  opened.push(() => client.destroy())
  await once(client, "connect")
  return client
}

const ignore = () => {}

/** Both ends of a connection. */
const pair = async (options: Net.ServerOpts = {}) => {
  const server = await listening(Net.createServer(options))
  const accepted = once(server, "connection")
  const client = await connected(server)
  const socket = (await accepted)[0] as Net.Socket
  socket.on("error", ignore)
  opened.push(() => socket.destroy())
  return { client, server, socket }
}

interface Exchange {
  readonly server: Http.Server
  readonly client: Net.Socket
  readonly request: Http.IncomingMessage
  readonly response: Http.ServerResponse
}

const get = "GET / HTTP/1.1\r\nHost: test\r\n\r\n"

/** What `look` finds in the turn in which the handler of a request is called. */
const inHandler = async <A>(look: (exchange: Exchange) => A, sent = get): Promise<A> => {
  const server = await listening(Http.createServer())
  opened.push(() => server.closeAllConnections())
  const client = await connected(server)
  const found = deferred<A>()
  server.once("request", (request: Http.IncomingMessage, response: Http.ServerResponse) => {
    found.resolve(look({ server, client, request, response }))
  })
  client.write(sent)
  return waitFor("the request", found.promise, limit)
}

const overHttp2 = async <A>(look: (response: Http2.Http2ServerResponse) => A): Promise<A> => {
  const server = await listening(Http2.createServer())
  const client = Http2.connect(`http://127.0.0.1:${portOf(server)}`)
  opened.push(() => client.destroy())
  const found = deferred<A>()
  server.once("request", (_, response: Http2.Http2ServerResponse) => found.resolve(look(response)))
  client.request().on("error", ignore)
  return waitFor("the stream", found.promise, limit)
}

const overTls = async (): Promise<Tls.TLSSocket> => {
  const server = await listening(Tls.createServer(certificate))
  const secured = once(server, "secureConnection")
  const client = Tls.connect({ port: portOf(server), host: "127.0.0.1", rejectUnauthorized: false })
  client.on("error", ignore)
  opened.push(() => client.destroy())
  return (await secured)[0] as Tls.TLSSocket
}

/** A socket in the file system, and its file. */
const onPath = async <A>(look: (server: Net.Server, client: Net.Socket) => A): Promise<A> => {
  const folder = Fs.mkdtempSync(Path.join(Os.tmpdir(), "internals-"))
  opened.push(() => Fs.rmSync(folder, { recursive: true, force: true }))
  const path = Path.join(folder, "socket")
  const server = Net.createServer()
  opened.push(() => server.close())
  await once(server.listen(path), "listening")
  return look(server, await connected(path))
}

const parserOf = ({ request }: Exchange): Internals.Parser => {
  const parser = Internals.parserOf(request.socket)
  if (parser === undefined) throw new Error("there is no parser")
  return parser
}

/** Whether each function finds what it reads. */
const found: { readonly [Name in keyof typeof Internals]: () => unknown } = {
  handleOf: async () => {
    const handle = Internals.handleOf(await listening(Net.createServer()))
    return [handle?.close, handle?.listen, handle?.ref].every((method) => typeof method === "function")
  },
  descriptorOf: async () => (Internals.descriptorOf(await listening(Net.createServer())) ?? -1) > 2,
  connectionKeyOf: async () => Internals.connectionKeyOf(await listening(Net.createServer())) === "4:127.0.0.1:0",
  hasPipeName: () => onPath((server) => Internals.hasPipeName(server)),
  hasLookedUpHost: async () => Internals.hasLookedUpHost(await listening(Net.createServer())),
  activeParsers: async () => {
    const server = await listening(Http.createServer())
    opened.push(() => server.closeAllConnections())
    const accepted = once(server, "connection")
    const client = await connected(server)
    const socket = (await accepted)[0] as Net.Socket
    client.write(get.slice(0, 10))
    return waitFor("half a request", () => Internals.activeParsers(server).includes(Internals.parserOf(socket)), limit)
  },
  socketsOf: () => inHandler(({ request, server }) => Internals.socketsOf(server).includes(request.socket)),
  http2OptionsOf: () => {
    const settings = { maxConcurrentStreams: 7 }
    return Internals.http2OptionsOf(Http2.createServer({ settings }))?.settings?.maxConcurrentStreams === 7
  },
  upgradeCallbackOf: () => typeof Internals.upgradeCallbackOf(Http.createServer()) === "function",
  hasNoHandle: async () => {
    const { socket } = await pair()
    const had = !Internals.hasNoHandle(socket)
    socket.destroy()
    return had && Internals.hasNoHandle(socket)
  },
  isReading: async () => {
    const { socket } = await pair()
    const { socket: paused } = await pair({ pauseOnConnect: true })
    return Internals.isReading(socket) === true && Internals.isReading(paused) === false
  },
  isReset: async () => {
    const { client, socket } = await pair({ pauseOnConnect: true })
    const before = Internals.isReset(socket)
    client.resetAndDestroy()
    return waitFor("the reset", () => Internals.isReset(socket), limit).then(() => !before)
  },
  hasSaidClosed: async () => {
    const { socket } = await pair()
    const before = Internals.hasSaidClosed(socket)
    socket.destroy()
    const closing = Internals.hasSaidClosed(socket)
    await once(socket, "close")
    return !before && !closing && Internals.hasSaidClosed(socket)
  },
  hasQueuedWrites: async () => {
    const { client, socket } = await pair()
    client.pause()
    const before = Internals.hasQueuedWrites(socket)
    socket.write(Buffer.alloc(50_000_000))
    return !before && Internals.hasQueuedWrites(socket)
  },
  isWritten: async () => {
    const { client, socket } = await pair()
    client.pause()
    socket.write("all of it")
    const written = Internals.isWritten(socket)
    socket.write(Buffer.alloc(50_000_000))
    return written && !Internals.isWritten(socket)
  },
  hasReadEnd: async () => {
    const { client, socket } = await pair({ allowHalfOpen: true })
    // what nobody reads stands before it
    client.end("unread")
    await waitFor("the end", () => Internals.hasReadEnd(socket), limit)
    return !socket.readableEnded
  },
  isPausedByNode: () =>
    inHandler(({ request, response }) => {
      const before = Internals.isPausedByNode(request.socket)
      response.end()
      return !before && Reflect.get(request.socket, "_paused") === false
    }),
  rawSocketOf: async () => Internals.rawSocketOf(await overTls()) instanceof Net.Socket,
  isHeadWaiting: () =>
    inHandler(({ request, response }) => {
      // one of an unknown length is kept by the response itself
      response.setHeader("Content-Length", 5).write("piece")
      const waits = Internals.isHeadWaiting(request.socket, response)
      while (request.socket.writableCorked > 0) request.socket.uncork()
      return waits && !Internals.isHeadWaiting(request.socket, response)
    }),
  acceptedBy: () => inHandler(({ request, server }) => Internals.acceptedBy(request.socket) === server),
  serverOf: () => inHandler(({ request, server }) => Internals.serverOf(request.socket) === server),
  allowsHalfOpen: () =>
    inHandler(({ request, server }) => {
      const before = Internals.allowsHalfOpen(request.socket)
      return !before && Object.assign(server, { httpAllowHalfOpen: true }) && Internals.allowsHalfOpen(request.socket)
    }),
  responseBeingWritten: () =>
    inHandler(({ request, response }) => Internals.responseBeingWritten(request.socket) === response),
  parserOf: () =>
    inHandler((exchange) => {
      const { execute, pause } = parserOf(exchange)
      return typeof execute === "function" && typeof pause === "function"
    }),
  readsByItself: () =>
    inHandler((exchange) => {
      const parser = parserOf(exchange)
      const byItself = Internals.readsByItself(parser)
      exchange.request.socket.on("data", ignore)
      return byItself === true && Internals.readsByItself(parser) === false
    }),
  incomingOf: () => inHandler((exchange) => Internals.incomingOf(parserOf(exchange)) === exchange.request),
  currentBufferOf: () =>
    inHandler((exchange) => {
      const bytes = Internals.currentBufferOf(parserOf(exchange))?.()
      return bytes !== undefined && Buffer.from(bytes).toString() === get
    }),
  executedIndexOf: () => inHandler((exchange) => Internals.executedIndexOf(parserOf(exchange)) !== undefined),
  isUpgrade: async () => {
    const server = await listening(Http.createServer())
    const client = await connected(server)
    const upgraded = once(server, "upgrade")
    client.write(get.replace("\r\n\r\n", "\r\nConnection: upgrade\r\nUpgrade: any\r\n\r\n"))
    const [request, socket] = await upgraded as [Http.IncomingMessage, Net.Socket]
    opened.push(() => socket.destroy())
    const plain = await inHandler(({ request }) => Internals.isUpgrade(request))
    return Internals.isUpgrade(request) && !plain
  },
  socketBeingParsed: () => inHandler(({ request }) => Internals.socketBeingParsed() === request.socket),
  headOf: () =>
    inHandler(({ response }) => {
      const before = Internals.headOf(response)
      return before === undefined && Internals.headOf(response.writeHead(299))?.startsWith("HTTP/1.1 299 ")
    }),
  isKept: () =>
    inHandler(({ response }) => {
      const kept = Internals.isKept(response.writeHead(200))
      response.flushHeaders()
      return kept && !Internals.isKept(response)
    }),
  corksOf: () =>
    inHandler(({ request }) => {
      // Node 20 counts those of one that has no socket yet
      const response = new Http.ServerResponse(request)
      const before = Internals.corksOf(response)
      response.cork()
      return before === 0 && Internals.corksOf(response) === 1
    }),
  endCallbacksOf: () =>
    inHandler(({ response }) => Internals.endCallbacksOf(response.end("all", ignore))?.includes(ignore)),
  abortControllerOf: () =>
    inHandler(({ request }) => {
      const signal: unknown = Reflect.get(request, "signal")
      return signal instanceof AbortSignal && Internals.abortControllerOf(request)?.signal === signal
    }),
  responseOf: () => overHttp2((response) => Internals.responseOf(response.stream) === response),
  activeHandles: async () => {
    const server = await listening(Net.createServer())
    return Internals.activeHandles().includes(server)
  },
  kindOf: () => onPath((_, client) => Internals.kindOf(client) === "PipeWrap"),
  isPipe: () => onPath((_, client) => Internals.isPipe(Object(Reflect.get(client, "_handle")))),
  isInternalThread: async () => {
    const thread = once(process, "worker")
    register("data:text/javascript,export const nothing = 0")
    const [internal] = await thread as [Thread]
    const own = new Thread("", { eval: true })
    await once(own, "exit")
    return Internals.isInternalThread(internal) && !Internals.isInternalThread(own)
  },
  isErrorListenerOfNode: () => {
    const piped = new PassThrough()
    new Stream().pipe(piped)
    let duringWrite: ReadonlyArray<Function> = []
    const stream = new PassThrough()
    Object.defineProperty(stream, "write", { value: () => (duringWrite = stream.listeners("error")).length > 0 })
    new Console(stream).log("a line")
    const all = [piped.listeners("error"), duringWrite]
    return all.every((listeners) => listeners.length === 1 && listeners.every(Internals.isErrorListenerOfNode))
  },
  webSocketOf: async () => {
    const server = await listening(Http.createServer())
    const sockets = new WebSocketServer({ server })
    const client = new WebSocket(`ws://127.0.0.1:${portOf(server)}`)
    const [[webSocket, request]] = await Promise.all([
      once(sockets, "connection") as Promise<[WebSocket, Http.IncomingMessage]>,
      once(client, "open")
    ])
    opened.push(() => webSocket.terminate(), () => client.terminate(), () => sockets.close())
    return Internals.webSocketOf(request.socket) === webSocket
  },
  serverBindingsOf: async () => {
    const app = fastify()
    await app.ready()
    return Internals.serverBindingsOf(app) !== undefined
  }
}

/** Whether `name` of an object was there, is another one after `apply`, and the same one as before after what it returns. */
const isReplaced = (object: object, name: PropertyKey, apply: () => Patch.Restore | void): boolean => {
  const before: unknown = Reflect.get(object, name)
  const own = Object.hasOwn(object, name)
  const restore = apply()
  const replaced = before !== undefined && Reflect.get(object, name) !== before
  restore?.()
  const restored = restore === undefined
    || (Reflect.get(object, name) === before && Object.hasOwn(object, name) === own)
  return replaced && restored
}

const undefinedly = () => undefined

/** Whether each function replaces what there is, and puts it back. */
const replaced: { readonly [Name in keyof typeof Patch]: () => unknown } = {
  serverEmit: () => {
    const server = Net.createServer()
    return isReplaced(server, "emit", () => Patch.serverEmit(server, () => true))
  },
  inheritedEmit: () => {
    // its own is that of all emitters
    const had = Object.hasOwn(Net.Server.prototype, "emit")
    return isReplaced(Net.Server.prototype, "emit", () => Patch.inheritedEmit(() => true))
      && Object.hasOwn(Net.Server.prototype, "emit") === had
  },
  inheritedListen: async () => {
    const seen: Array<unknown> = []
    const restored = isReplaced(Net.Server.prototype, "listen", () => Patch.inheritedListen(ignore))
    const restore = Patch.inheritedListen((server) => void seen.push(server))
    const servers = [await listening(Net.createServer()), await listening(Http.createServer())]
    restore()
    expect(seen).toEqual(servers)
    return restored
  },
  serverClose: () => {
    const server = Net.createServer()
    return isReplaced(server, "close", () => Patch.serverClose(server, () => server))
  },
  serverDispose: () => {
    const server = Net.createServer()
    return isReplaced(server, Symbol.asyncDispose, () => Patch.serverDispose(server, () => Promise.resolve()))
  },
  closeIdleConnections: () => {
    const server = Http.createServer()
    return isReplaced(server, "closeIdleConnections", () => Patch.closeIdleConnections(server, ignore))
  },
  closeAllConnections: () => {
    const server = Http.createServer()
    return isReplaced(server, "closeAllConnections", () => Patch.closeAllConnections(server, ignore))
  },
  shouldUpgradeCallback: () => {
    const server = Http.createServer()
    return isReplaced(server, "shouldUpgradeCallback", () => Patch.shouldUpgradeCallback(server, () => false))
  },
  listenerCount: () => {
    const server = Http.createServer()
    return isReplaced(server, "listenerCount", () => Patch.listenerCount(server, () => 0))
  },
  setupWorker: () => {
    const server = Net.createServer()
    return isReplaced(server, "_setupWorker", () => Patch.setupWorker(server, ignore))
  },
  inheritedListen2: async () => {
    const told: Array<unknown> = []
    const restored = isReplaced(Net.Server.prototype, "_listen2", () => Patch.inheritedListen2(ignore))
    const restore = Patch.inheritedListen2((_, { address, port }) => void told.push(address, port))
    await listening(Net.createServer())
    restore()
    expect(told).toEqual(["127.0.0.1", 0])
    return restored
  },
  setHandle: async () => {
    const first = await listening(Net.createServer())
    const port = portOf(first)
    const restore = Patch.inheritedListen2((next) => {
      const handle = Internals.handleOf(first) ?? null
      Patch.setHandle(first, null)
      Patch.setHandle(next, handle)
    })
    const second = await listening(Net.createServer(), { port })
    restore()
    const accepted = once(second, "connection")
    await connected(second)
    return (await accepted)[0] instanceof Net.Socket && portOf(second) === port
  },
  neverListens: () => {
    const server = Http.createServer()
    return isReplaced(server, "listen", () => void Patch.neverListens(server)) && typeof server.address() === "object"
  },
  socketSetTimeout: () => {
    const socket = new Net.Socket()
    return isReplaced(socket, "setTimeout", () => Patch.socketSetTimeout(socket, () => socket))
  },
  destroySoon: () => {
    const socket = new Net.Socket()
    return isReplaced(socket, "destroySoon", () => Patch.destroySoon(socket, ignore))
  },
  socketEnds: async () => {
    const { socket } = await pair()
    const told: Array<string> = []
    Patch.socketEnds(socket, { destroy: () => void told.push("destroy"), final: () => void told.push("final") })
    socket.end()
    await waitFor("its end", () => socket.writableFinished, limit)
    socket.destroy()
    expect(told).toEqual(["final", "destroy"])
    return socket.destroyed
  },
  socketClose: async () => {
    const { socket } = await pair()
    const told: Array<unknown> = []
    const hear = Patch.socketClose(function() {
      told.push(this)
    })
    const isIn = isReplaced(socket, "_destroy", () => hear(socket))
    hear(socket)
    expect(socket.listenerCount("close")).toBe(0)
    const closed = once(socket, "close")
    socket.destroy()
    await waitFor("its close", closed, limit)
    expect(told).toEqual([socket])
    return isIn
  },
  socketEnd: () => {
    const socket = new Net.Socket()
    return isReplaced(socket, "end", () => Patch.socketEnd(socket, () => socket))
  },
  socketWrite: () => {
    const socket = new Net.Socket()
    return isReplaced(socket, "write", () => Patch.socketWrite(socket, () => true))
  },
  dropWrites: () => {
    const socket = new Net.Socket()
    return isReplaced(socket, "write", () => Patch.dropWrites(socket))
  },
  startReading: async () => {
    const { client, socket } = await pair({ pauseOnConnect: true })
    client.write("read")
    Patch.startReading(socket)
    return waitFor("what is read", () => socket.readableLength > 0, limit)
  },
  parserExecute: () =>
    inHandler((exchange) => {
      const parser = parserOf(exchange)
      return isReplaced(parser, "execute", () => Patch.parserExecute(parser, undefinedly))
    }),
  parserExecuted: () =>
    inHandler((exchange) => {
      const parser = parserOf(exchange)
      const index = Internals.executedIndexOf(parser) ?? -1
      return isReplaced(parser, index, () => Patch.parserExecuted(parser, index, ignore))
    }),
  parserPause: () =>
    inHandler((exchange) => {
      const parser = parserOf(exchange)
      const replaced = isReplaced(parser, "pause", () => Patch.parserPause(parser))
      return replaced && Reflect.deleteProperty(parser, "pause")
    }),
  writeHead: () =>
    inHandler(({ response }) => isReplaced(response, "writeHead", () => Patch.writeHead(response, () => response))),
  disableKeepAlive: () =>
    inHandler(({ response }) => isReplaced(response, "shouldKeepAlive", () => Patch.disableKeepAlive(response))),
  end: () => inHandler(({ response }) => isReplaced(response, "end", () => Patch.end(response, ignore))),
  responseDestroy: () =>
    inHandler(({ response }) =>
      isReplaced(response, "destroy", () => Patch.responseDestroy(response, () => response))
      && Reflect.deleteProperty(response, "destroy")
    ),
  write: () => inHandler(({ response }) => isReplaced(response, "write", () => Patch.write(response, ignore))),
  responseEmit: () =>
    inHandler(({ response }) => isReplaced(response, "emit", () => Patch.responseEmit(response, () => true))),
  looksUnfinished: () =>
    inHandler(({ response }) => {
      response.end()
      return isReplaced(response, "writableEnded", () => Patch.looksUnfinished(response)) && !response.writableFinished
    }),
  looksClosed: () =>
    inHandler(({ response }) => {
      const before = response.closed
      Patch.looksClosed(response)
      return !before && response.destroyed && response.closed
    }),
  requestDestroy: () =>
    inHandler(({ request }) => isReplaced(request, "destroy", () => Patch.requestDestroy(request, () => request))),
  sessionDestroy: () =>
    overHttp2(({ stream: { session } }) =>
      session !== undefined
      && isReplaced(session, "destroy", () => Patch.sessionDestroy(session as Http2.ServerHttp2Session, ignore))
      && Reflect.deleteProperty(session, "destroy")
    ),
  sessionGoaway: () =>
    overHttp2(({ stream: { session } }) =>
      session !== undefined
      && isReplaced(session, "goaway", () => Patch.sessionGoaway(session as Http2.ServerHttp2Session, ignore))
    ),
  streamRespond: () =>
    overHttp2(({ stream }) => isReplaced(stream, "respond", () => Patch.streamRespond(stream, ignore))),
  pushStream: () => overHttp2(({ stream }) => isReplaced(stream, "pushStream", () => Patch.pushStream(stream, ignore))),
  processKill: () => {
    const called: Array<unknown> = []
    const counting = () =>
      Patch.processKill((kill) => (...args) => called.push(args) && Reflect.apply(kill, process, args))
    const isOwn = isReplaced(process, "_kill", counting)
    const restore = counting()
    process.kill(process.pid, 0)
    restore()
    expect(called).toEqual([[process.pid, 0]])
    return isOwn
  },
  processEmit: async () => {
    const kept: Array<unknown> = []
    const restored = isReplaced(process, "emit", () => Patch.processEmit(() => undefinedly))
    const restore = Patch.processEmit((emit) => (...args) =>
      args[0] === "SIGUSR2" ? kept.push(args[0]) : Reflect.apply(emit, process, args)
    )
    // taken by Node now
    process.on("SIGUSR2", ignore)
    opened.push(() => process.off("SIGUSR2", ignore))
    process.kill(process.pid, "SIGUSR2")
    await waitFor("the signal", () => kept.length > 0, limit)
    restore()
    return restored
  },
  terminalWrite: () => {
    const stream: Tty.WriteStream = Object.create(Tty.WriteStream.prototype)
    return isReplaced(stream, "write", () => Patch.terminalWrite(stream, () => true))
  },
  outlivePrimary: () => {
    const worker = new Worker()
    const isKnown = "exitedAfterDisconnect" in worker && !worker.exitedAfterDisconnect
    Patch.outlivePrimary(worker)
    return isKnown && worker.exitedAfterDisconnect
  },
  bindingsPush: () => {
    const seen: Array<unknown> = []
    const bindings: Array<unknown> = []
    Patch.bindingsPush(bindings, (binding) => void seen.push(binding))
    bindings.push(1, 2)
    return bindings.length === 2 && seen.length === 2
  }
}

describe.each<[string, ReadonlyArray<Entry>, Readonly<Record<string, () => unknown>>, ReadonlyArray<string>]>([
  ["what is read", reads, found, ["Reads"]],
  ["what is replaced", replacements, replaced, ["Replaces", "For"]]
])("%s", (_, entries, tries, first) => {
  it("is said in one form", () => {
    expect(entries.map(({ name }) => name).toSorted()).toEqual(Object.keys(tries).toSorted())
    for (const { name, says } of entries) {
      const lines = [...says.keys()].map((line) => line.replace(/^Where \w+ has it not$/, "Where not"))
      const expected = [...first, ...(says.has("Node") ? ["Node"] : []), "Where not", "Pinned by"]
      expect([name, ...lines]).toEqual([name, ...expected])
    }
  })

  it("is pinned by tests, which say so", () => {
    for (const entry of entries) {
      const tests = pinnedBy(entry)
      expect(tests, entry.name).not.toEqual([])
      for (const test of tests) expect(pins(Fs.readFileSync(Path.join(root, test), "utf8")), test).toContain(entry.name)
    }
  })

  for (const { name, says } of entries) {
    const isThere = hasSince(says.get("Node"))
    it(`${name} is ${isThere ? "there" : "not there yet"}`, async () => {
      expect(Boolean(await tries[name]?.())).toBe(isThere)
    })
  }
})

it("what tests pin is in the tables", () => {
  const all = new Map([...reads, ...replacements].map((entry) => [entry.name, pinnedBy(entry)]))
  const folder = Path.join(root, "test")
  for (const path of Fs.readdirSync(folder, { recursive: true, encoding: "utf8" })) {
    if (!path.endsWith(".ts") || path.includes("node_modules")) continue
    const test = `test/${path.replaceAll("\\", "/")}`
    for (const name of pins(Fs.readFileSync(Path.join(folder, path), "utf8"))) {
      expect([name, ...(all.get(name) ?? [])]).toContain(test)
    }
  }
})

describe("where Node has none of it", () => {
  /** What is read of no object of these. */
  const others = new Set(["activeHandles", "isErrorListenerOfNode", "socketBeingParsed"])

  const empty = [undefined, false, 0, "", JSON.stringify([])]

  for (const [name, read] of Object.entries(Internals).filter(([name]) => !others.has(name))) {
    it(`${name} finds nothing`, () => {
      const nothing: unknown = Reflect.apply(read, undefined, [Object.create({})])
      expect(empty).toContain(Array.isArray(nothing) ? JSON.stringify(nothing) : nothing)
    })
  }

  it("the outputs are what keeps the process alive, as far as is known", () => {
    const hidden = Object.getOwnPropertyDescriptor(process, "_getActiveHandles")
    Reflect.deleteProperty(process, "_getActiveHandles")
    try {
      expect(Internals.activeHandles()).toEqual([process.stdout, process.stderr])
    } finally {
      if (hidden !== undefined) Object.defineProperty(process, "_getActiveHandles", hidden)
    }
  })

  it("a server is left as it is", () => {
    const server: Net.Server = Object.create({})
    for (
      const restore of [
        Patch.closeIdleConnections(server, ignore),
        Patch.closeAllConnections(server, ignore),
        Patch.setupWorker(server, ignore)
      ]
    ) {
      expect(Reflect.ownKeys(server)).toEqual([])
      restore()
    }
  })

  it("and so are a socket, a parser and a response", () => {
    const socket: Net.Socket = Object.create({})
    Patch.destroySoon(socket, ignore)
    Patch.socketEnds(socket, { destroy: ignore, final: ignore })
    Patch.startReading(socket)
    Patch.parserPause(undefined)
    expect(Reflect.ownKeys(socket)).toEqual([])
    const response: Http.ServerResponse = Object.create({})
    Patch.looksClosed(response)
    expect(Reflect.ownKeys(response)).toEqual(["destroyed"])
  })

  it("the close of a socket has a listener", () => {
    const { prototype } = Net.Socket
    const { _destroy: destroy } = prototype
    const hear = Patch.socketClose(ignore)
    const socket = new Net.Socket()
    try {
      Reflect.set(prototype, "_destroy", undefined)
      hear(socket)
    } finally {
      Reflect.set(prototype, "_destroy", destroy)
    }
    // and so has that of a stream of another class
    const stream: Net.Socket = Object.create(new PassThrough())
    hear(stream)
    expect([socket, stream].map((each) => each.listeners("close"))).toEqual([[ignore], [ignore]])
    expect([socket, stream].map((each) => Object.hasOwn(each, "_destroy"))).toEqual([false, false])
  })

  it("a server that listens is not looked at", async () => {
    const hidden = Object.getOwnPropertyDescriptor(Net.Server.prototype, "_listen2")
    Reflect.set(Net.Server.prototype, "_listen2", undefined)
    try {
      Patch.inheritedListen2(() => expect.fail("it was"))()
    } finally {
      if (hidden !== undefined) Object.defineProperty(Net.Server.prototype, "_listen2", hidden)
    }
    await listening(Net.createServer())
  })

  it("a request in flight is answered, and its server drained", async () => {
    const kept = [
      [Net.Server.prototype, "_listen2"],
      [Net.Server.prototype, "_setupWorker"],
      [process, "_kill"],
      [process, "_getActiveHandles"]
    ] as const
    const own = kept.map(([object, name]) => Object.getOwnPropertyDescriptor(object, name))
    const answer = deferred<Http.ServerResponse>()
    const server = await listening(Http.createServer((_, response) => answer.resolve(response)))
    for (const name of ["_connectionKey", "_pipeName", "_listeningId"]) {
      Object.defineProperty(server, name, { value: undefined, configurable: true, writable: true })
    }
    for (const [object, name] of kept) Reflect.set(object, name, undefined)
    try {
      const { shutdown } = quiesce(server, { logger: false, timeout: limit })
      const client = await connected(server)
      client.write(get)
      const response = await waitFor("the request", answer.promise, limit)
      const stopped = shutdown()
      response.end("all of it")
      expect(String((await once(client, "data"))[0])).toMatch(/connection: close[\s\S]*all of it/i)
      expect(await stopped).toMatchObject({ outcome: "Drained", served: 1, cut: [] })
    } finally {
      kept.forEach(([object, name], at) => {
        const descriptor = own[at]
        if (descriptor !== undefined) Object.defineProperty(object, name, descriptor)
      })
    }
  })

  it("process.kill is what tells of a signal", () => {
    const hidden = Object.getOwnPropertyDescriptor(process, "_kill")
    const { kill } = process
    Reflect.set(process, "_kill", undefined)
    try {
      const restore = Patch.processKill(() => () => "ours")
      expect(process.kill(process.pid, 0)).toBe("ours")
      restore()
      expect(process.kill).toBe(kill)
    } finally {
      if (hidden !== undefined) Object.defineProperty(process, "_kill", hidden)
    }
  })
})

describe("what was replaced", () => {
  it("is put back as it was, if it was an own one", () => {
    const own = () => true
    const server = Object.assign(Net.createServer(), { emit: own })
    Patch.serverEmit(server, () => false)()
    expect(server.emit).toBe(own)
  })

  it("stays where somebody else has replaced it since", () => {
    const server = Net.createServer()
    const restore = Patch.serverEmit(server, () => false)
    const theirs = () => true
    server.emit = theirs
    restore()
    expect(server.emit).toBe(theirs)
  })
})

it("a version is later than another by its parts", () => {
  const since = "22.21, 24.9"
  const versions = ["20.20.0", "22.9.0", "22.21.0", "23.11.0", "24.8.0", "24.10.1", "26.0.0"]
  expect(versions.filter((version) => hasSince(since, version))).toEqual(["22.21.0", "24.10.1", "26.0.0"])
  expect(versions.every((version) => hasSince(undefined, version))).toBe(true)
})
