/**
 * How the worker threads of a process and its main thread speak to each other. No signal arrives in a worker thread, and
 * the main thread does not know what listens there. The channel is of its own: the program's messages, and who listens
 * for them, are left alone. It keeps no thread alive.
 */
import { BroadcastChannel, getEnvironmentData, setEnvironmentData, type Worker } from "node:worker_threads"
import type { Phase } from "../model/policy.js"
import { isInternalThread } from "../node/internals.js"

/** What a worker thread says of itself, and of the threads that it has started. */
export type Said =
  | { readonly says: "Loaded"; readonly thread: number }
  | { readonly says: "Started"; readonly thread: number; readonly by: number }
  | { readonly says: "Ended"; readonly thread: number }
  /** A server listens in it, and it is not known yet whether that is to be drained. It waits until this is heard. */
  | { readonly says: "Binds"; readonly thread: number; readonly heard: Int32Array }
  /** Nothing is drained after all. */
  | { readonly says: "Unbinds"; readonly thread: number }
  /** A server listens in it. */
  | { readonly says: "Listens"; readonly thread: number }
  | { readonly says: "Phase"; readonly thread: number; readonly phase: Phase }
  /** No server is left. */
  | { readonly says: "Closed"; readonly thread: number; readonly hasCut: boolean }
  /** It cannot drain. */
  | { readonly says: "Failed"; readonly thread: number; readonly reason: string }

/** What the main thread asks of one, or of all. */
export type Asked = { readonly asks: "Who" } | Demand

export interface Demand {
  readonly asks: "Shutdown" | "DrainNow" | "Close"
  readonly thread: number
}

export interface Channel {
  readonly post: (message: Asked | Said) => void
  /** While something is awaited from the other side, nothing else may keep the thread alive. */
  readonly ref: () => void
  readonly unref: () => void
}

/** A version that says something else takes another name. */
const name = "quiesce/register/1"

export const openChannel = (onMessage: (message: Asked | Said) => void): Channel => {
  const channel = new BroadcastChannel(name)
  // its type has none
  const onEvent = (event: unknown) => onMessage((event as { readonly data: Asked | Said }).data)
  channel.addEventListener("message", onEvent)
  channel.unref()
  return {
    // oxlint-disable-next-line require-post-message-target-origin -- threads have none
    post: (message) => channel.postMessage(message),
    ref: () => void channel.ref(),
    unref: () => void channel.unref()
  }
}

/** In the main thread, which hears what the threads say that it starts from now on. */
export const announce = (): void => setEnvironmentData(name, true)

/** Whether there is a main thread that hears this one. */
export const isAnnounced = (): boolean => getEnvironmentData(name) === true

/** How long a thread waits to be heard, in milliseconds: its main thread may be busy, or wait for that thread itself. */
const hearingLimit = 1000

/** For a message that is to be waited for. */
export const unheard = (): Int32Array => new Int32Array(new SharedArrayBuffer(4))

/** Returns when the main thread has done what is to be done. */
export const waitUntil = (heard: Int32Array): void => void Atomics.wait(heard, 0, 0, hearingLimit)

/** Lets the thread go on that waits for it. */
export const confirm = (heard: Int32Array): void => {
  Atomics.store(heard, 0, 1)
  Atomics.notify(heard, 0)
}

/** Tells of the threads that this one starts, and of their end. */
export const watchStarted = (started: (thread: number) => void, ended: (thread: number) => void): void => {
  process.on("worker", (worker: Worker) => {
    const { threadId: thread } = worker
    // one that has ended at once has no number any more
    if (thread < 0 || isInternalThread(worker)) return
    worker.once("exit", () => ended(thread))
    started(thread)
  })
}
