/**
 * The listening sockets of a program that may hand them to a successor: which descriptor it has inherited for which of
 * its listeners, and which it holds now. A program without `Handoff` has a default that nothing comes of.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Fs from "node:fs"
import type * as Net from "node:net"
import * as Path from "node:path"
import type { Address, ListenError, Options } from "../model/listener.js"
import { fileAt, isFile, nameBeside, removeOwn, type SocketFile } from "../node/socketFile.js"

/** A listening socket, as the successor is told of it. */
export interface Inherited {
  /** What the program asks for: the same text in the next version of the program. */
  readonly name: string
  readonly fd: number
  /** What the kernel knows the socket by in every process, as {@link socketAt} reads it. */
  readonly socket?: string | undefined
  readonly address: Address
  /** What clients reach it by, if it is a Unix socket: whoever holds the socket last removes it. */
  readonly file?: SocketFile | undefined
}

/** One that this process listens with. */
export interface Held {
  readonly name: string
  readonly address: Address
  readonly file: SocketFile | undefined
  readonly server: Net.Server
  readonly closeNow: () => void
}

/** Where a listener listens, in a program that may hand it over. */
export interface ListenTarget {
  /** In place of the listener's own. */
  readonly options: Options
  /** Where `server.address()` does not tell. */
  readonly address: Address | undefined
  /** The predecessor has passed it on, and keeps none of it. */
  readonly isInherited: boolean
  /** It may not accept before its predecessor lets it. */
  readonly waitsForPredecessor: boolean
  readonly listenLater: (listen: Effect.Effect<void, ListenError>) => void
  /** It listens. Throws what `listen` would have. */
  readonly hasListened: (held: Omit<Held, "name" | "file">) => void
  /** It is about to stop. */
  readonly release: () => void
}

export class Handover {
  /** A successor accepts: what it was given is its own. */
  handedOver = false
  /** A successor that does not accept yet holds the sockets as well. */
  isOffered = false
  readonly #opened: Effect.Latch
  #isOpen: boolean
  readonly #unclaimed: Array<Inherited>
  readonly #waiting = new Set<{ readonly fd: number; readonly listen: Effect.Effect<void, ListenError> }>()
  readonly #all = new Set<Held>()

  constructor(inherited: ReadonlyArray<Inherited> | undefined) {
    this.#isOpen = inherited === undefined
    this.#opened = Effect.unsafeMakeLatch(this.#isOpen)
    this.#unclaimed = [...(inherited ?? [])]
  }

  get held(): ReadonlyArray<Held> {
    return Array.from(this.#all)
  }

  claim(options: Options): ListenTarget {
    const name = nameOf(options)
    const index = this.#unclaimed.findIndex((inherited) => inherited.name === name)
    const [inherited] = index === -1 ? [] : this.#unclaimed.splice(index, 1)
    const path = options.fd === undefined && options.path !== undefined && isFile(options.path)
      ? options.path
      : undefined
    // libuv removes the name that it has bound when it closes the socket, which would take it from the successor: so it
    // is bound to a name of its own, and then given the one that clients know
    const bindAt = inherited === undefined && path !== undefined ? nameBeside(path) : undefined
    let waits: { readonly fd: number; readonly listen: Effect.Effect<void, ListenError> } | undefined
    let holds: Held | undefined
    return {
      options: inherited !== undefined
        ? { ...options, fd: inherited.fd }
        : bindAt !== undefined
        ? { ...options, path: bindAt }
        : options,
      address: inherited?.address ??
        (bindAt === undefined || path === undefined ? undefined : { _tag: "UnixAddress", path }),
      isInherited: inherited !== undefined,
      waitsForPredecessor: inherited !== undefined && !this.#isOpen,
      listenLater: (listen) => {
        if (inherited === undefined) return
        waits = { fd: inherited.fd, listen }
        this.#waiting.add(waits)
      },
      hasListened: (held) => {
        if (bindAt !== undefined && path !== undefined) reveal(bindAt, path)
        holds = { ...held, name, file: inherited?.file ?? (path === undefined ? undefined : fileAt(path)) }
        this.#all.add(holds)
      },
      release: () => {
        if (waits !== undefined && this.#waiting.delete(waits)) closeDescriptor(waits.fd)
        if (holds === undefined || !this.#all.delete(holds)) return
        if (holds.file !== undefined && !this.handedOver) removeOwn(holds.file)
      }
    }
  }

  /** Listens with what the program has claimed, and closes what it has not: its clients would wait for ever. */
  readonly open: Effect.Effect<void, ListenError> = Effect.suspend(() => {
    this.#isOpen = true
    const listens = Array.from(this.#waiting, ({ listen }) => listen)
    this.#waiting.clear()
    return Effect.zipRight(this.closeUnclaimed, Effect.forEach(listens, (listen) => listen, { discard: true }))
  })

  /** Until this process accepts; a successor that is not wanted never does. */
  get accepts(): Effect.Effect<void> {
    return this.#opened.await
  }

  /** This process accepts. */
  hasOpened(): void {
    this.#opened.unsafeOpen()
  }

  readonly closeUnclaimed: Effect.Effect<void> = Effect.sync(() => {
    for (const { fd } of this.#unclaimed.splice(0)) closeDescriptor(fd)
    for (const { fd } of this.#waiting) closeDescriptor(fd)
    this.#waiting.clear()
  })

  /** The successor accepts. */
  give(): void {
    this.handedOver = true
    for (const { closeNow } of this.held) closeNow()
  }
}

export class CurrentHandover extends Context.Reference<CurrentHandover>()("quiesce/Handover", {
  defaultValue: (): Handover | undefined => undefined
}) {}

const nameOf = ({ fd, host, path, port }: Options): string =>
  fd !== undefined
    ? `fd ${fd}`
    : path !== undefined
    ? `unix ${Path.resolve(path)}`
    : `tcp ${host ?? ""}:${port ?? 0}`

const reveal = (from: string, to: string): void => {
  try {
    Fs.linkSync(from, to)
  } catch (cause) {
    const taken = (cause as { readonly code?: unknown } | null)?.code === "EEXIST"
    throw taken
      ? Object.assign(new Error(`listen EADDRINUSE: address already in use ${to}`), { code: "EADDRINUSE" })
      : cause
  } finally {
    Fs.rmSync(from, { force: true })
  }
}

const closeDescriptor = (fd: number): void => {
  try {
    Fs.closeSync(fd)
  } catch {
    // it was none
  }
}
