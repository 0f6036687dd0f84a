/**
 * The environment that systemd gives a service, and its notification protocol. Node has no Unix datagram sockets: what
 * is sent goes through a descriptor that was inherited, or else by `systemd-notify`.
 */
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import { execFile } from "node:child_process"
import * as Fs from "node:fs"

/** Descriptors are passed from this one on. */
const firstFd = 3

/** `systemd-notify` waits for 5 seconds at the most, until the manager has taken what it sent. */
const limitMillis = 7000

/** The name of the inherited descriptor that notifications go to. */
export const notifyName = "notify"

export interface Inherited {
  readonly fd: number
  readonly name: string
}

export type Environment = Readonly<Record<string, string | undefined>>

export type Passed =
  | { readonly _tag: "Nothing" }
  | { readonly _tag: "ToAnother"; readonly pid: string }
  | { readonly _tag: "Malformed"; readonly name: string; readonly value: string }
  | { readonly _tag: "Passed"; readonly descriptors: ReadonlyArray<Inherited> }

const isCount = (text: string): boolean => /^\d{1,6}$/.test(text)

/** What was passed to this process: `sd_listen_fds_with_names`. */
export const passed = (env: Environment, pid: number): Passed => {
  const count = env["LISTEN_FDS"]
  const owner = env["LISTEN_PID"]
  if (count === undefined || owner === undefined) return { _tag: "Nothing" }
  if (!/^\d{1,10}$/.test(owner)) return { _tag: "Malformed", name: "LISTEN_PID", value: owner }
  if (Number(owner) !== pid) return { _tag: "ToAnother", pid: owner }
  if (!isCount(count)) return { _tag: "Malformed", name: "LISTEN_FDS", value: count }
  const names = env["LISTEN_FDNAMES"]?.split(":") ?? []
  return {
    _tag: "Passed",
    descriptors: Array.from({ length: Number(count) }, (_, n) => ({ fd: firstFd + n, name: names[n] ?? "unknown" }))
  }
}

export class NotSent extends Data.TaggedError("NotSent")<{ readonly problem: string }> {
  override get message(): string {
    return this.problem
  }
}

let passedOn: { readonly fd: number | undefined } | undefined

/** What a successor writes its notifications to: the numbers of `LISTEN_FDS` are its predecessor's. */
export const inheritDescriptor = (fd: number | undefined): void => {
  passedOn = { fd }
}

/** Where this process writes its notifications, if that is a descriptor. */
export const descriptorFor = (env: Environment, pid: number): number | undefined => {
  if (passedOn !== undefined) return passedOn.fd
  const inherited = passed(env, pid)
  return inherited._tag === "Passed" ? inherited.descriptors.find(({ name }) => name === notifyName)?.fd : undefined
}

/** Sends a datagram; `undefined`: nobody wants to be notified. */
export const sender = (
  env: Environment,
  pid: number
): ((state: string) => Effect.Effect<void, NotSent>) | undefined => {
  if (env["NOTIFY_SOCKET"] === undefined || env["NOTIFY_SOCKET"] === "") return undefined
  const fd = descriptorFor(env, pid)
  return fd === undefined ? byCommand : byDescriptor(fd)
}

const byDescriptor = (fd: number) => (state: string) =>
  Effect.async<void, NotSent>((resume) => {
    Fs.write(fd, state, (error) =>
      resume(
        error === null
          ? Effect.void
          : new NotSent({ problem: `the descriptor ${fd}, named ${notifyName}: ${error.message}` })
      ))
  })

/** A stop that reaches the service's whole control group ends the command that tells of it, too: then another is run. */
const byCommand = (state: string, attempts = 3): Effect.Effect<void, NotSent> =>
  Effect.flatMap(runCommand(state), (ended) => {
    if (ended._tag === "Sent") return Effect.void
    if (ended._tag === "Terminated" && attempts > 1) return byCommand(state, attempts - 1)
    return new NotSent({ problem: `systemd-notify: ${ended.problem}` })
  })

type Ended =
  | { readonly _tag: "Sent" }
  | { readonly _tag: "Terminated"; readonly problem: string }
  | { readonly _tag: "Failed"; readonly problem: string }

const runCommand = (state: string) =>
  Effect.async<Ended>((resume) => {
    const child = execFile(
      "systemd-notify",
      state.split("\n"),
      { timeout: limitMillis, killSignal: "SIGKILL" },
      (error, _, stderr) => {
        if (error === null) return resume(Effect.succeed({ _tag: "Sent" }))
        if (error.signal === "SIGTERM") {
          return resume(Effect.succeed({ _tag: "Terminated", problem: "somebody's SIGTERM has ended it" }))
        }
        const problem = error.code === "ENOENT"
          ? "it is not installed, or not on the PATH"
          : stderr.trim() || error.message
        resume(Effect.succeed({ _tag: "Failed", problem }))
      }
    )
    return Effect.sync(() => child.kill("SIGKILL"))
  })
