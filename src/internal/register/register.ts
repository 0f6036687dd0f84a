/**
 * Takes over the servers of a program that knows nothing of it. What a process loads before its first server listens is
 * small: most processes that a variable such as `NODE_OPTIONS` reaches have none (npm, a compiler, the parent of a
 * watcher), and nothing is changed for those.
 */
import type * as Net from "node:net"
import { isMainThread } from "node:worker_threads"
import { asides } from "../listener/asides.js"
import * as Patch from "../node/patch.js"
import { bun } from "../node/runtime.js"
import { nextTick, setImmediate } from "../node/timers.js"
import * as EarlySignals from "./earlySignals.js"
import { holdConnections } from "./heldConnections.js"
import * as HeldSignals from "./heldSignals.js"
import type { Takeover } from "./takeover.js"
import * as ThisThread from "./thisThread.js"
import { isUndecided, type Thread, watchThreads } from "./threads.js"

/** Of the process: this package may be there twice. */
const key = Symbol.for("quiesce/register")

const isOff = (): boolean => /^(off|false|no|0)$/i.test(process.env["QUIESCE"]?.trim() ?? "")

export const register = (): void => {
  if (isOff() || Object.hasOwn(process, key)) return
  Object.defineProperty(process, key, { value: true })
  const runtime = bun()
  if (runtime !== undefined) return void notStarted(unseen(runtime))
  if (isMainThread) {
    HeldSignals.prepare()
    watchThreads({
      binds: EarlySignals.listen,
      unbinds: releaseSignals,
      opened,
      failed: (reason) => void notStarted(new Error(reason))
    })
  } else ThisThread.join()
  Patch.inheritedListen(beforeListening)
}

/** None of these calls `listen` of `node:net`, which is how servers are found. */
const unseen = (runtime: string) =>
  new Error(
    `servers of node:http, node:https and Bun.serve cannot be drained under ${runtime}; run the program with Node or Deno`
  )

const awaited = new WeakSet<Net.Server>()

/** How many listen of which it is not known yet whether they are to be drained. */
let undecided = 0

const beforeListening = (server: Net.Server): void => {
  if (awaited.has(server) || asides.has(server)) return
  awaited.add(server)
  server.prependOnceListener("listening", () => {
    awaited.delete(server)
    if (isOfOneMachine(server)) return
    undecided++
    // whoever hears next that it listens may be told to stop at once
    if (!isMainThread) ThisThread.binds()
    else if (takeover === undefined) EarlySignals.listen()
    // who only looks for a free port closes it at once, and so does the primary of a cluster for its workers
    nextTick(() => {
      undecided--
      if (server.listening) found(server)
      // a signal that has reached the process is read in the next turn of the event loop; without a listener it is lost
      else setImmediate(setImmediate, releaseSignals)
    })
  })
}

/** Nothing is drained after all. */
const releaseSignals = (): void => {
  if (undecided > 0) return
  if (!isMainThread) return ThisThread.unbinds()
  if (isUndecided()) return
  if (takeover !== undefined) return void takeover.then((loaded) => loaded.settle())
  HeldSignals.letThrough()
  EarlySignals.stop()
}

/** Not HTTP, and on a path: how a process talks to its own kind, such as `tsx` to what it runs. */
const isOfOneMachine = (server: Net.Server): boolean =>
  typeof server.address() === "string" && !("closeIdleConnections" in server || "updateSettings" in server)

let takeover: Promise<Takeover> | undefined

const load = (): Promise<Takeover> => {
  takeover ??= import("./takeover.js").then(({ makeTakeover }) => makeTakeover()).catch(notStarted)
  return takeover
}

/** Servers listen in a worker thread. */
const opened = (thread: Thread): void => {
  EarlySignals.listen()
  void load().then((loaded) => loaded.join(thread))
}

const found = (server: Net.Server): void => {
  const held = holdConnections(server)
  if (!isMainThread) ThisThread.listens()
  void load().then((loaded) => {
    held.stop()
    loaded.take(server)
    held.deliver()
  })
}

/** Said once, whichever thread has found it. */
let isRefused = false

/** A server that would not drain is better not started: who deploys it sees that now, and not at each restart. */
const notStarted = (error: unknown): Promise<never> => {
  const isMissing = (error as { readonly code?: unknown }).code === "ERR_MODULE_NOT_FOUND"
  const remedy = isMissing ? " Install what quiesce needs beside it: npm install effect." : ""
  const message = error instanceof Error ? error.message : String(error)
  return new Promise(() => {
    // the end of this thread would not be that of the program
    if (!isMainThread) return ThisThread.failed(message)
    if (isRefused) return
    isRefused = true
    process.stderr.write(
      `quiesce/register: ${message}.${remedy} The program is not started; with QUIESCE=off, it runs without\n`,
      // oxlint-disable-next-line no-process-exit -- see above
      () => process.exit(1)
    )
  })
}
