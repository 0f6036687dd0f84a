/**
 * Starts the server, and waits until it answers.
 */
import { rmSync } from "node:fs"
import { Client } from "../client/client.js"
import { get } from "../client/requests.js"
import { CheckFailed } from "../errors.js"
import { isLoopback } from "../loopback.js"
import type { Settings, Target } from "../model.js"
import { isListening, portsOf } from "../process/listening.js"
import { type ServerProcess, startProcess } from "../process/serverProcess.js"
import { Transcript } from "../transcript.js"
import { now, pause } from "../wait.js"
import type { Place } from "./place.js"

export interface Started {
  readonly server: ServerProcess
  readonly target: Target
  readonly status: number
  readonly millis: number
}

/** Not at once: it may be told where to listen, and need a while. */
const searchAfterMillis = 1500

const describe = (target: Target): string =>
  "path" in target ? target.path : `${target.host.includes(":") ? `[${target.host}]` : target.host}:${target.port}`

/** `search`: look for it elsewhere if it does not listen where it was told to. */
export const start = async (settings: Settings, place: Place, search: boolean): Promise<Started> => {
  for (const target of place.targets) {
    if ("path" in target) rmSync(target.path, { force: true })
    else if (isListening(target)) {
      throw new CheckFailed("DiedAtStart", `${describe(target)} is in use by another process`)
    }
  }
  const began = now()
  const server = await startProcess({ command: place.command, cwd: settings.cwd, env: place.env })
  try {
    const { status, target } = await answering(settings, server, place.targets, search)
    return { server, target, status, millis: Math.round(now() - began) }
  } catch (cause) {
    await server.destroy()
    throw cause
  }
}

const answering = async (
  settings: Settings,
  server: ServerProcess,
  told: ReadonlyArray<Target>,
  search: boolean
): Promise<{ readonly status: number; readonly target: Target }> => {
  const began = now()
  const limit = began + settings.startTimeoutMillis
  let wait = 10
  while (now() < limit) {
    const isLate = search && now() - began > searchAfterMillis
    for (const target of isLate ? [...told, ...elsewhere(settings, server)] : told) {
      const status = await statusOf(settings, server, target, limit - now())
      if (status !== undefined) return { status, target }
    }
    if (server.exit !== undefined) throw died(server)
    await pause(wait)
    wait = Math.min(50, wait * 1.5)
  }
  throw new CheckFailed(
    "DoesNotAnswer",
    `it did not answer GET ${settings.path} on ${told.map(describe).join(" or ")} within ${
      settings.startTimeoutMillis / 1000
    } s; --port says where it listens, --path what it answers, --start-timeout how long it may take`,
    server.output
  )
}

const died = (server: ServerProcess) =>
  new CheckFailed(
    "DiedAtStart",
    `it ended before it answered: ${
      server.exit?.signal == null ? `exit code ${server.exit?.code}` : `signal ${server.exit.signal}`
    }`,
    server.output
  )

/** The ports that its processes listen on, and those that it says it does. */
const elsewhere = (settings: Settings, server: ServerProcess): ReadonlyArray<Target> => {
  const held = portsOf(server.left().map(({ pid }) => pid))
  const said = [...server.output.matchAll(/\bport:? ?(\d{2,5})\b|:\/\/[\w.[\]:-]*?:(\d{2,5})\b/gi)]
    .map(([, port, ofUrl]) => Number(port ?? ofUrl))
  const hosts = settings.host === undefined ? ["127.0.0.1", "::1"] : [settings.host]
  // on Linux the kernel has been asked, and what is printed may be the port of something else
  const ports = held.length > 0 || process.platform === "linux" ? held : said
  return [...new Set(ports)].flatMap((port) => hosts.filter(isLoopback).map((host) => ({ host, port })))
}

/** The status of an answer to the path; nothing if there is nobody, or if it ends without an answer. */
const statusOf = async (
  settings: Settings,
  server: ServerProcess,
  target: Target,
  limitMillis: number
): Promise<number | undefined> => {
  const client = new Client(target, { name: "start", transcript: new Transcript(), tls: settings.tls })
  try {
    if (!(await client.opened(Math.min(2000, limitMillis)))) return undefined
    client.write(get(settings.path))
    const leaves = server.changes.until(() => server.exit !== undefined, limitMillis)
    await Promise.race([client.answers(1, limitMillis), leaves])
    const answer = client.reader.responses[0]
    return answer?.complete === true ? answer.status : undefined
  } finally {
    client.leave()
  }
}
