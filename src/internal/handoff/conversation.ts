/**
 * The two ends of a hand-over, and what they say to each other, a word a line:
 *
 * ```text
 * successor                      predecessor
 *   ready                    →                  it is built, and accepts nothing yet
 *                            ←   go             from here on nobody takes it back
 *   listening                →                  the predecessor closes its listeners and drains
 *                            ←   no             instead of go: it is too late, or nobody waits any more
 * ```
 *
 * Where the predecessor is gone before it has said anything, the successor goes on as if it had said go: it holds the
 * sockets.
 */
import * as Effect from "effect/Effect"
import * as ChildProcess from "node:child_process"
import * as Net from "node:net"
import * as Line from "../log/line.js"
import type { HandoffFailed } from "../model/handoffFailed.js"
import { nextMacrotask } from "../node/turn.js"
import { descriptorFor, inheritDescriptor } from "../supervisor/sdNotify.js"
import type { Inherited } from "./handover.js"
import { firstDescriptor, type Message, told, variable } from "./message.js"

/** What a successor has done: said a word, or ended. */
export type Heard =
  | { readonly _tag: "Word"; readonly word: string }
  | { readonly _tag: "Ended"; readonly how: string }
  | { readonly _tag: "NotStarted"; readonly cause: unknown }

export interface Successor {
  /** What it was started with. */
  readonly command: ReadonlyArray<string>
  readonly pid: number | undefined
  readonly next: Effect.Effect<Heard>
  readonly say: (word: "go" | "no") => void
  readonly signal: (signal: NodeJS.Signals) => void
  readonly ended: Effect.Effect<void>
  /** Neither the process nor the conversation keeps this process alive. */
  readonly leave: () => void
}

export const start = (
  command: ReadonlyArray<string>,
  listeners: ReadonlyArray<Inherited>
): Successor => {
  const { descriptors, message } = passedOn(listeners)
  const [file = process.execPath, ...args] = command
  const heard = new HeardQueue()
  const ended = Effect.unsafeMakeLatch(false)
  const over = (what: Heard) => {
    heard.add(what)
    ended.unsafeOpen()
  }
  let child: ChildProcess.ChildProcess
  try {
    child = ChildProcess.spawn(file, args, {
      stdio: ["inherit", "inherit", "inherit", ...descriptors, "pipe"],
      env: { ...process.env, [variable]: JSON.stringify(message) }
    })
  } catch (cause) {
    over({ _tag: "NotStarted", cause })
    return { command, pid: undefined, next: heard.take, say: ignore, signal: ignore, ended: ended.await, leave: ignore }
  }
  child.once("error", (cause) => over({ _tag: "NotStarted", cause }))
  // where no descriptor is left (EMFILE), Node makes none of its pipes
  const { stdio = [] } = child as { readonly stdio?: ReadonlyArray<unknown> }
  const pipe = stdio[message.channel]
  const socket = pipe instanceof Net.Socket ? pipe : undefined
  if (socket !== undefined) words(socket, (word) => heard.add({ _tag: "Word", word }))
  child.once(
    "exit",
    (code, signal) => over({ _tag: "Ended", how: signal === null ? `exit code ${String(code)}` : `signal ${signal}` })
  )
  return {
    command,
    pid: child.pid,
    next: heard.take,
    say: (word) => {
      if (word === "no") socket?.end("no\n")
      else socket?.write("go\n")
    },
    signal: (signal) => void child.kill(signal),
    ended: ended.await,
    leave: () => {
      child.unref()
      socket?.destroy()
    }
  }
}

/** The descriptors that a successor gets, in the order in which it finds them, and what it is told of them. */
const passedOn = (
  listeners: ReadonlyArray<Inherited>
): { readonly descriptors: ReadonlyArray<number>; readonly message: Message } => {
  const notify = descriptorFor(process.env, process.pid)
  const descriptors = [...listeners.map(({ fd }) => fd), ...(notify === undefined ? [] : [notify])]
  const channel = firstDescriptor + descriptors.length
  return {
    descriptors,
    message: {
      predecessor: process.pid,
      channel,
      listeners: listeners.map((listener, index) => ({ ...listener, fd: firstDescriptor + index })),
      notify: notify === undefined ? undefined : channel - 1
    }
  }
}

/** What a successor has done, in order, for one who takes it. */
class HeardQueue {
  readonly #heard: Array<Heard> = []
  #taker: (() => void) | undefined = undefined

  add(what: Heard): void {
    this.#heard.push(what)
    this.#taker?.()
  }

  /** The first one, as soon as there is one. */
  readonly take: Effect.Effect<Heard> = Effect.async<Heard>((resume) => {
    this.#taker = () => {
      const first = this.#heard.shift()
      if (first === undefined) return
      this.#taker = undefined
      resume(Effect.succeed(first))
    }
    this.#taker()
    return Effect.sync(() => {
      this.#taker = undefined
    })
  })
}

export interface Predecessor {
  readonly pid: number
  readonly listeners: ReadonlyArray<Inherited>
  /** Says that this process is built; `false` where it is not wanted any more. */
  readonly ready: Effect.Effect<boolean>
  readonly listening: Effect.Effect<void>
}

/**
 * What this process was given, if it is a successor. It is read once, and taken out of the environment, so that what it
 * starts does not take it for its own.
 */
export const inherited: Effect.Effect<Predecessor | undefined, HandoffFailed> = Effect.suspend(() => {
  const found = told(process.env[variable], process.ppid)
  Reflect.deleteProperty(process.env, variable)
  switch (found._tag) {
    case "Nothing":
      return Effect.succeed(undefined)
    case "ToAnother":
      return Effect.as(
        Line.warning(
          `${variable} was made for another process: the sockets of process ${found.predecessor} have not come to this `
            + "one, which starts by itself. Where it was to succeed that one: start node itself, not through npm"
        ),
        undefined
      )
    case "Failed":
      return Effect.fail(found.error)
    case "Told":
      return Effect.sync(() => predecessorOf(found.message))
  }
})

const predecessorOf = ({ channel, listeners, notify, predecessor }: Message): Predecessor => {
  inheritDescriptor(notify)
  // systemd's variables name the process that they are meant for
  if (process.env["LISTEN_PID"] === String(predecessor)) process.env["LISTEN_PID"] = String(process.pid)
  const socket = new Net.Socket({ fd: channel, readable: true, writable: true })
  let answer: boolean | undefined
  let answered = (_: boolean) => {}
  const say = (value: boolean) => {
    answer ??= value
    answered(answer)
  }
  // from the start: a "no" is to be heard before the end of the conversation
  words(socket, (word) => say(word === "go"))
  socket.once("close", () => say(true))
  socket.unref()
  return {
    pid: predecessor,
    listeners,
    ready: Effect.zipRight(
      Effect.zipRight(nextMacrotask, nextMacrotask),
      Effect.async<boolean>((resume) => {
        answered = (value) => resume(Effect.succeed(value))
        if (answer !== undefined) return answered(answer)
        socket.ref()
        socket.write("ready\n")
      })
    ),
    listening: Effect.sync(() => {
      socket.unref()
      if (socket.writable) socket.end("listening\n")
    })
  }
}

const words = (socket: Net.Socket, hear: (word: string) => void): void => {
  let rest = ""
  socket.setEncoding("utf8").on("data", (text: string) => {
    const lines = (rest + text).split("\n")
    rest = lines.pop() ?? ""
    for (const line of lines) hear(line)
  })
  socket.on("error", ignore)
}

const ignore = () => {}
