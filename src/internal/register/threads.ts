/**
 * The worker threads of the process, as its main thread sees them. A signal only arrives here, and the process ends here.
 */
import type { Phase } from "../model/policy.js"
import { setImmediate } from "../node/timers.js"
import {
  announce,
  type Asked,
  type Channel,
  confirm,
  type Demand,
  openChannel,
  type Said,
  watchStarted
} from "./threadChannel.js"

/** How the servers of a thread have closed. */
export interface ThreadEnd {
  readonly hasCut: boolean
  /** It has not said so. */
  readonly isLost: boolean
}

/** A thread in which servers listen, until the last of them has closed. */
export class Thread {
  readonly id: number
  phase: Phase = "Serving"
  /** It has said something since it was asked whether it is there. */
  isHeard = true
  readonly closed: Promise<ThreadEnd>
  readonly close: (end: ThreadEnd) => void
  readonly ask: (what: Demand["asks"]) => void

  constructor(id: number, post: Channel["post"]) {
    this.id = id
    let resolve: (end: ThreadEnd) => void = () => {}
    this.closed = new Promise((resolved) => {
      resolve = resolved
    })
    this.close = (end) => {
      this.phase = "Closed"
      resolve(end)
    }
    this.ask = (asks) => post({ asks, thread: id })
  }
}

interface Heard {
  /** A server may have to be drained: until it is known, a signal is not to be lost. */
  readonly binds: () => void
  /** Nothing has come of it. */
  readonly unbinds: () => void
  readonly opened: (thread: Thread) => void
  readonly failed: (reason: string) => void
}

/** Those that run: who has started each, and whether this package is loaded there. */
const running = new Map<number, { readonly by: number | undefined; isLoaded: boolean }>()
const serving = new Map<number, Thread>()
const undecided = new Set<number>()
let channel: Channel | undefined

/** Whether it is not known yet of one whether something is to be drained there. */
export const isUndecided = (): boolean => undecided.size > 0

/** Those in which nobody would drain a server. */
export const unreached = (): ReadonlyArray<number> =>
  Array.from(running).flatMap(([thread, { isLoaded }]) => isLoaded ? [] : [thread])

/** While one drains, the process is not over. */
export const ref = (): void => channel?.ref()

/** Those whose event loop runs say something. */
export const askWho = (): void => {
  for (const thread of serving.values()) thread.isHeard = false
  channel?.post({ asks: "Who" } satisfies Asked)
}

export const unref = (): void => channel?.unref()

/** Nothing is there before the program has started a thread. */
export const watchThreads = (heard: Heard): void => {
  announce()
  watchStarted((thread) => {
    started(thread, undefined)
    if (channel !== undefined) return
    channel = openChannel((message) => "says" in message && onSaid(message, heard))
    // they may have been faster
    channel.post({ asks: "Who" } satisfies Asked)
  }, (thread) => ended(thread, heard))
}

const started = (thread: number, by: number | undefined): void => {
  running.set(thread, { by, isLoaded: running.get(thread)?.isLoaded ?? false })
}

const ended = (thread: number, heard: Heard): void => {
  running.delete(thread)
  // those that it has started end with it
  for (const [each, { by }] of running) if (by === thread) ended(each, heard)
  // what it has said last may be on its way
  setImmediate(setImmediate, () => {
    unbinds(thread, heard)
    closed(thread, { hasCut: true, isLost: true })
  })
}

const closed = (thread: number, end: ThreadEnd): void => {
  serving.get(thread)?.close(end)
  serving.delete(thread)
}

const unbinds = (thread: number, heard: Heard): void => {
  if (undecided.delete(thread)) heard.unbinds()
}

const onSaid = (said: Said, heard: Heard): void => {
  const { thread } = said
  const known = serving.get(thread)
  if (known !== undefined) known.isHeard = true
  switch (said.says) {
    case "Loaded":
      return void running.set(thread, { by: running.get(thread)?.by, isLoaded: true })
    case "Started":
      return started(thread, said.by)
    case "Ended":
      return ended(thread, heard)
    case "Binds":
      undecided.add(thread)
      heard.binds()
      return confirm(said.heard)
    case "Unbinds":
      return unbinds(thread, heard)
    case "Listens": {
      undecided.delete(thread)
      if (known !== undefined || channel === undefined) return
      const one = new Thread(thread, channel.post)
      serving.set(thread, one)
      return heard.opened(one)
    }
    case "Phase":
      if (known !== undefined) known.phase = said.phase
      return
    case "Closed":
      return closed(thread, { hasCut: said.hasCut, isLost: false })
    case "Failed":
      return heard.failed(said.reason)
  }
}
