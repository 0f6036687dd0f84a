/**
 * Binding a Node server, or taking over one that is bound, and closing it without losing what the kernel has queued.
 */
import * as Effect from "effect/Effect"
import * as Net from "node:net"
import { CurrentHandover, type ListenTarget } from "../handoff/handover.js"
import type { Address, ListenError, NodeServer, Options } from "../model/listener.js"
import { handleOf, http2OptionsOf, responseBeingWritten, socketsOf } from "../node/internals.js"
import { originOf } from "../node/listeningSocket.js"
import * as OfferedSocket from "../node/offeredSocket.js"
import { fileOf, type SocketFile, sparing } from "../node/socketFile.js"
import { setImmediate } from "../node/timers.js"
import { maxInFlight } from "../protocol/pipeline.js"
import { AcceptQueue, type Sharing } from "./acceptQueue.js"
import { explain, whyNotListen } from "./listenErrors.js"
import { type NodeServerEvents, watch } from "./nodeEvents.js"
import { listensHere } from "./ownAddresses.js"

export interface BoundListener {
  readonly address: Address
  /** Stops accepting, once the kernel's queue has run dry. */
  readonly close: Effect.Effect<void>
  /** Stops accepting at once. */
  readonly closeNow: () => void
  /** It is going to close: the next server of this process that listens on its address is given its socket. */
  readonly offerSocket: () => void
  /** Its scope has closed before its server: one that has never listened is its owner's again. */
  readonly release: () => void
}

/**
 * Binds `server`, and fails with what is wrong and what to do. In a program that may hand its sockets over, one that was
 * inherited listens when the predecessor lets it.
 */
export const bind = (
  server: NodeServer,
  options: Options,
  watcher: NodeServerEvents
): Effect.Effect<BoundListener, ListenError> =>
  Effect.flatMap(CurrentHandover, (handover) => {
    const target = handover?.claim(options)
    const socket = listeningSocket(
      server,
      () => handover?.isOffered === true ? "holders" : target?.isInherited === true ? "nobody" : sharedWith(server),
      target
    )
    const { closeNow, offerSocket, queue } = socket
    const address = () => target?.address ?? addressOf(server, options.fd)
    const bound = (): BoundListener => ({
      address: address(),
      // what is queued on an inherited descriptor is its other holders' too
      close: Effect.suspend(() => {
        if (!server.listening || options.fd !== undefined) return Effect.sync(closeNow)
        offerSocket()
        return queue.close
      }),
      closeNow,
      offerSocket,
      release: () => {}
    })
    const hasListened = () => target?.hasListened({ address: address(), server, closeNow })
    const listens = listen(server, options, watcher, socket, target?.options ?? options, hasListened)
    if (target === undefined || !target.waitsForPredecessor) return Effect.map(listens, bound)
    target.listenLater(listens)
    return Effect.sync(bound)
  })

/** Listens at `where`, which `options` have asked for. What `hasListened` throws is why it does not. */
const listen = (
  server: NodeServer,
  options: Options,
  watcher: NodeServerEvents,
  { queue, rememberFile, rememberHandle, stop }: ListeningSocket,
  where: Options,
  hasListened: () => void
): Effect.Effect<void, ListenError> =>
  Effect.async((resume) => {
    const unusable = whyNotListen(server, options)
    if (unusable !== undefined) return resume(Effect.fail(unusable))
    limitStreams(server)
    let listened = false
    const unwatch = watch(server, watcher, queue, { isComing: () => !listened, hasListened: () => listened })
    const settled = () => {
      server.off("error", fail)
      server.off("close", closedEarly)
    }
    const fail = (cause: unknown) => {
      settled()
      unwatch()
      resume(Effect.fail(explain(options, cause)))
    }
    const closedEarly = () => fail(new Error("the Node server was closed before it listened"))
    server.once("error", fail)
    server.once("close", closedEarly)
    const listening = () => {
      settled()
      try {
        hasListened()
      } catch (cause) {
        stop()
        return fail(cause)
      }
      listened = true
      rememberHandle()
      listensHere(server)
      // EMFILE and its like surface here, and would end the process
      server.on("error", watcher.acceptFailed)
      resume(Effect.void)
    }
    try {
      if (isCutOff(where.path)) throw Object.assign(new Error("the path is too long"), { code: "ENAMETOOLONG" })
      server.listen(where, listening)
      // before anybody else can have put a file of his own there; a worker of a cluster has to ask first
      if (server.listening) rememberFile()
    } catch (cause) {
      fail(cause)
    }
  })

/** Takes over a server that somebody else has made listen, or will. Whoever calls it has asked {@link whyNotAdopt}. */
export const adopt = (
  server: NodeServer,
  watcher: NodeServerEvents
): Effect.Effect<BoundListener> =>
  Effect.suspend(() => {
    const { closeNow, offerSocket, queue, rememberFile, rememberHandle } = listeningSocket(server, () =>
      sharedWith(server))
    limitStreams(server)
    let listened = false
    const unwatch = watch(server, watcher, queue, {
      isComing: () =>
        false,
      hasListened: () => listened
    })
    // until it listens, there is none
    let address = addressOf(server)
    const listening = () => {
      listened = true
      rememberFile()
      rememberHandle()
      address = addressOf(server)
      server.on("error", watcher.acceptFailed)
      // it comes too late, and its owner asks for its address first
      if (watcher.isStopping()) setImmediate(closeNow)
    }
    if (server.listening) listening()
    else server.once("listening", listening)
    for (const socket of socketsOf(server)) adoptSocket(watcher, socket)
    return Effect.succeed({
      get address() {
        return address
      },
      close: Effect.suspend(() => {
        if (!server.listening) return Effect.void
        if (originOf(server) === "descriptor") return Effect.sync(closeNow)
        offerSocket()
        return queue.close
      }),
      closeNow,
      offerSocket,
      release: () => {
        if (listened) return
        server.off("listening", listening)
        unwatch()
      }
    })
  })

/** The socket that a Node server listens with. */
interface ListeningSocket extends Pick<BoundListener, "closeNow" | "offerSocket"> {
  readonly queue: AcceptQueue
  /** It has been bound: its file, if it has one, goes with it. */
  readonly rememberFile: () => void
  /** It listens: what its server listens with after it has closed is another one. */
  readonly rememberHandle: () => void
  /** Closes it, and leaves what others were told of it. */
  readonly stop: () => void
}

const listeningSocket = (server: NodeServer, sharing: () => Sharing, target?: ListenTarget): ListeningSocket => {
  const { closeNow: stop, rememberFile, rememberHandle } = closer(server)
  let withdraw = () => {}
  const closeNow = () => {
    withdraw()
    target?.release()
    stop()
  }
  const queue = new AcceptQueue(server, closeNow, sharing)
  const offerSocket = () => {
    withdraw()
    // one that may be handed over goes to the successor alone
    if (target === undefined) withdraw = OfferedSocket.offerSocket(server, closeNow, () => queue.stopWaiting())
  }
  return { closeNow, offerSocket, queue, rememberFile, rememberHandle, stop }
}

/** Whoever has made the socket, and other workers, accept from it as well. */
const sharedWith = (server: NodeServer): Sharing => originOf(server) === "bound" ? "nobody" : "acceptors"

/**
 * Closes the listening socket alone: `http.Server#close` destroys what it takes to be idle, and stops the timeouts. The
 * file of a Unix socket goes with it, if it is still the one that was bound.
 */
const closer = (server: NodeServer) => {
  let file: SocketFile | undefined
  let handle: ReturnType<typeof handleOf>
  return {
    rememberFile: () => {
      file = fileOf(server)
    },
    rememberHandle: () => {
      handle = handleOf(server)
    },
    closeNow: () => {
      // whoever has closed it may have made it listen again since: that socket is none of ours
      if (!server.listening || (handle !== undefined && handle !== handleOf(server))) return
      if (file !== undefined) sparing(file, () => handleOf(server)?.close?.())
      Net.Server.prototype.close.call(server)
    }
  }
}

/**
 * How many streams of one session may be open at a time, where its owner has not said (`settings.maxConcurrentStreams`):
 * as many as requests of one connection of HTTP/1.1. Node's default is no limit; RFC 9113 §6.5.2 wants a hundred or more.
 * What a client wants beyond that waits on its side; who does not wait is refused (`REFUSED_STREAM`).
 */
const limitStreams = (server: NodeServer): void => {
  if (!("updateSettings" in server)) return
  const options = http2OptionsOf(server)
  if (options === undefined || options.settings?.maxConcurrentStreams !== undefined) return
  server.updateSettings({ maxConcurrentStreams: maxInFlight })
}

/** Node 20 listens on as much of a path as fits in a `sockaddr_un`, and says nothing. */
const isCutOff = (path: string | undefined): boolean =>
  path !== undefined && process.platform !== "win32"
  && Buffer.byteLength(path) > (process.platform === "linux" ? 107 : 103)

/** A connection that a server has accepted before it was adopted. */
const adoptSocket = (watcher: NodeServerEvents, socket: Net.Socket): void => {
  watcher.connection(socket)
  const response = responseBeingWritten(socket)
  if (response === undefined) return watcher.adoptedIdle(socket)
  const { req: request } = response
  watcher.adoptedRequest(request, response)
}

const addressOf = (server: NodeServer, fd?: number): Address => {
  const address = server.address()
  // Node knows the path of a Unix socket only where it has bound it
  if (address === null && fd !== undefined && server.listening) return { _tag: "UnixAddress", path: `fd ${fd}` }
  return typeof address === "string" ?
    { _tag: "UnixAddress", path: address } :
    {
      _tag: "TcpAddress",
      hostname: address?.address ?? "0.0.0.0",
      port: address?.port ?? 0
    }
}
