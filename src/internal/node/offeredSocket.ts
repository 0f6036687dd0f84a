/**
 * A listening socket that is closing takes a few milliseconds, or a lame duck, in which nobody else can bind its address.
 * The next server of the same process need not wait for that: it is given the socket itself, with the connections that
 * the kernel has queued on it, so that a hot reload that does not await the shutdown binds and loses nothing.
 *
 * Node makes the listening socket of a server unless it has one: so that server is given it before.
 */
import * as Net from "node:net"
import { handleOf, type ListeningHandle } from "./internals.js"
import { originOf } from "./listeningSocket.js"
import * as Patch from "./patch.js"

interface Offer {
  readonly server: Net.Server
  /** Closes its socket at once, if it still has one. */
  readonly closeNow: () => void
  /** Its socket has gone. */
  readonly taken: () => void
}

const offered = new Set<Offer>()
let restore = () => {}

/** From now on, the next server of this process that listens on the address has it; until what is returned is called. */
export const offerSocket = (server: Net.Server, closeNow: () => void, taken: () => void): () => void => {
  if (!server.listening || originOf(server) !== "bound") return () => {}
  const offer: Offer = { server, closeNow, taken }
  if (offered.size === 0) restore = Patch.inheritedListen2(beforeListen)
  offered.add(offer)
  return () => {
    if (offered.delete(offer) && offered.size === 0) restore()
  }
}

/** Not made in `offerSocket`: it stays for longer than the listener for which it was needed first. */
const beforeListen: Parameters<typeof Patch.inheritedListen2>[0] = (next, { address, fd, flags, port }) => {
  if (handleOf(next) === undefined && typeof fd !== "number") giveTo(next, address, port, flags)
}

const giveTo = (next: Net.Server, address: unknown, port: unknown, flags: unknown): void => {
  for (const offer of offered) {
    if (offer.server === next) continue
    const match = compare(offer.server.address(), address, port)
    if (match === "same" && (flags === undefined || flags === 0)) {
      const handle = take(offer.server)
      if (handle !== undefined) Patch.setHandle(next, handle)
    }
    // one that overlaps cannot be listened with in its place: its queue is lost, as with Node's own `close`
    if (match === undefined) continue
    offer.closeNow()
    offer.taken()
  }
}

/** Takes its socket away from a server, which tells of its end when its connections have gone. */
const take = (server: Net.Server): ListeningHandle | undefined => {
  const handle = handleOf(server)
  if (typeof handle?.fd !== "number" || handle.fd < 0 || typeof handle.listen !== "function") return undefined
  Patch.setHandle(server, null)
  Net.Server.prototype.close.call(server)
  handle.ref?.()
  return handle
}

const wildcards: ReadonlyArray<unknown> = ["::", "0.0.0.0"]

/** Whether a server can listen on `address` with the socket of another, or cannot while that has it. */
const compare = (
  own: ReturnType<Net.Server["address"]>,
  address: unknown,
  port: unknown
): "same" | "overlapping" | undefined => {
  if (own === null) return undefined
  if (typeof own === "string") return own === address ? "same" : undefined
  if (own.port !== port) return undefined
  // without an address, Node binds to the one that is all of them
  const wanted = typeof address === "string" && address !== "" ? canonical(address) : "::"
  if (own.address === wanted) return "same"
  return wildcards.includes(own.address) || wildcards.includes(wanted) ? "overlapping" : undefined
}

const canonical = (address: string): string => {
  if (Net.isIP(address) !== 6) return address
  try {
    return new Net.SocketAddress({ address, family: "ipv6" }).address
  } catch {
    // with a zone
    return address
  }
}
