/**
 * What a successor is told by its environment: which descriptors it was given, and what each is. An environment is passed
 * on to every process further down, and so this looks at whom it was made for before it believes any of it.
 */
import * as Fs from "node:fs"
import { HandoffFailed } from "../model/handoffFailed.js"
import type { Inherited } from "./handover.js"

/** Which descriptors a process was given, and what each is: `LISTEN_FDS`, `LISTEN_FDNAMES` and the way back in one. */
export const variable = "QUIESCE_HANDOFF"

export interface Message {
  readonly predecessor: number
  /** The descriptor of the conversation. */
  readonly channel: number
  readonly listeners: ReadonlyArray<Inherited>
  /** The descriptor that notifications to systemd are written to. */
  readonly notify?: number | undefined
}

/** The first descriptor after standard input, output and error. */
export const firstDescriptor = 3

export type Told =
  | { readonly _tag: "Nothing" }
  /** It was made for another process, which has passed its environment on. */
  | { readonly _tag: "ToAnother"; readonly predecessor: number }
  | { readonly _tag: "Failed"; readonly error: HandoffFailed }
  | { readonly _tag: "Told"; readonly message: Message }

/**
 * What this process was told. It is made for the one that the predecessor has started: its child, or whoever was given
 * the same sockets by a shell in between. npm passes no descriptors on.
 */
export const told = (text: string | undefined, parent: number): Told => {
  if (text === undefined || text === "") return { _tag: "Nothing" }
  const message = read(text)
  if (message === undefined) {
    return failed(
      "Malformed",
      `${variable} is ${JSON.stringify(text.slice(0, 200))}, and nothing that a predecessor has written. `
        + "Start the program without it: it is set by the process that hands over, and by nobody else"
    )
  }
  const wrong = [message.channel, ...message.listeners, ...(message.notify === undefined ? [] : [message.notify])]
    .find((each) => !(typeof each === "number" ? isSocket(each) : isSame(each)))
  if (wrong === undefined) return { _tag: "Told", message }
  const { predecessor } = message
  if (parent !== predecessor) return { _tag: "ToAnother", predecessor }
  return failed(
    "NoSocket",
    typeof wrong === "number"
      ? `Descriptor ${wrong}, which process ${predecessor} has passed to this one, is no socket`
      : `Descriptor ${wrong.fd} is not the listening socket ${JSON.stringify(wrong.name)} of process ${predecessor}: `
        + "something in this process, or what has started it, has closed it or put another one in its place"
  )
}

const failed = (reason: HandoffFailed["reason"], explanation: string): Told => ({
  _tag: "Failed",
  error: new HandoffFailed({ reason, explanation })
})

/** The inode of the socket at a descriptor: every process that has the socket sees the same one. */
export const socketAt = (fd: number): string | undefined => {
  try {
    const stats = Fs.fstatSync(fd, { bigint: true })
    return stats.isSocket() ? `${stats.dev}:${stats.ino}` : undefined
  } catch {
    // there is no such descriptor
    return undefined
  }
}

const isSocket = (fd: number): boolean => socketAt(fd) !== undefined

/** A predecessor of the version before this one does not say which socket it is. */
const isSame = ({ fd, socket }: Inherited): boolean => {
  const found = socketAt(fd)
  return found !== undefined && (socket === undefined ? listens(found.slice(found.indexOf(":") + 1)) : socket === found)
}

/** As Linux lists its sockets (`proc_net(5)`); where it lists none of that number, `listen` will find out. */
const listens = (inode: string): boolean => {
  const rows = (name: string) => {
    try {
      return Fs.readFileSync(`/proc/self/net/${name}`, "utf8").split("\n").map((line) => line.trim().split(/\s+/))
    } catch {
      return []
    }
  }
  const stateOf = (name: string, state: number, number: number) =>
    rows(name).find((columns) => columns[number] === inode)?.[state]
  const tcp = stateOf("tcp", 3, 9) ?? stateOf("tcp6", 3, 9)
  const unix = stateOf("unix", 3, 6)
  // TCP_LISTEN, and __SO_ACCEPTCON
  return (tcp === undefined || tcp === "0A") && (unix === undefined || unix === "00010000")
}

const read = (text: string): Message | undefined => {
  try {
    const message: unknown = JSON.parse(text)
    return isMessage(message) ? message : undefined
  } catch {
    return undefined
  }
}

const isMessage = (value: unknown): value is Message =>
  isRecord(value) && isWhole(value["predecessor"], 1) && isDescriptor(value["channel"])
  && (value["notify"] === undefined || isDescriptor(value["notify"]))
  && Array.isArray(value["listeners"]) && value["listeners"].every(isInherited)

const isInherited = (value: unknown): value is Inherited =>
  isRecord(value) && typeof value["name"] === "string" && isDescriptor(value["fd"]) && isAddress(value["address"])
  && (value["socket"] === undefined || typeof value["socket"] === "string")
  && (value["file"] === undefined || (isRecord(value["file"]) && typeof value["file"]["path"] === "string"
    && typeof value["file"]["identity"] === "string"))

const isAddress = (value: unknown): boolean =>
  isRecord(value) && (value["_tag"] === "UnixAddress"
    ? typeof value["path"] === "string"
    : value["_tag"] === "TcpAddress" && typeof value["hostname"] === "string" && isWhole(value["port"], 0))

const isDescriptor = (value: unknown): boolean => isWhole(value, firstDescriptor)

const isWhole = (value: unknown, least: number): boolean => Number.isSafeInteger(value) && Number(value) >= least

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null
