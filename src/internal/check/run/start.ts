/**
 * Starts the server, and waits until it answers.
 */
import { lstatSync, rmSync } from "node:fs"
import { Client } from "../client/client.js"
import { Http2Client } from "../client/http2.js"
import { get } from "../client/requests.js"
import { CheckFailed } from "../errors.js"
import { isLoopback } from "../loopback.js"
import type { Settings, Target } from "../model.js"
import { isTaken, portsOf } from "../process/listening.js"
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

/** One of several ports may be for metrics, and does not have the path: the others are waited for, for so long. */
const otherMillis = 1000

export interface StartWays {
  /** Look for it elsewhere if it does not listen where it was told to. */
  readonly search?: boolean
  /** The socket file that the one before it has left stays. */
  readonly again?: boolean
}

export const start = async (settings: Settings, place: Place, ways: StartWays = {}): Promise<Started> => {
  for (const target of place.targets) await makeFree(target, ways.again !== true)
  const began = now()
  const server = await startProcess({ command: place.command, cwd: settings.cwd, env: place.env })
  try {
    const { status, target } = await answering(settings, server, place.targets, ways.search === true)
    return { server, target, status, millis: Math.round(now() - began) }
  } catch (cause) {
    await server.destroy()
    throw cause
  }
}

/** Nobody listens there. What is left of a socket goes, and no other file. */
const makeFree = async (target: Target, removesFile: boolean): Promise<void> => {
  if (await isTaken(target)) throw new CheckFailed("DiedAtStart", `${describe(target)} is in use by another process`)
  if (!("path" in target)) return
  const file = lstatSync(target.path, { throwIfNoEntry: false })
  if (file === undefined) return
  if (!file.isSocket()) throw new CheckFailed("InvalidOption", `${target.path} is a file, and no socket`)
  if (removesFile) rmSync(target.path)
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
  let other: { readonly status: number; readonly target: Target; readonly until: number } | undefined
  while (now() < limit) {
    const isLate = search && now() - began > searchAfterMillis
    for (const target of isLate ? [...told, ...elsewhere(settings, server)] : told) {
      const status = await statusOf(settings, server, target, limit - now())
      if (status === undefined) continue
      if (status < 400 || told.includes(target)) return { status, target }
      other ??= { status, target, until: now() + otherMillis }
    }
    if (other !== undefined && now() > other.until) return other
    if (server.exit !== undefined) throw died(server)
    await pause(wait)
    wait = Math.min(50, wait * 1.5)
  }
  if (other !== undefined) return other
  throw new CheckFailed(
    "DoesNotAnswer",
    `it did not answer GET ${settings.path} on ${told.map(describe).join(" or ")} within ${
      settings.startTimeoutMillis / 1000
    } s; --port says where it listens, --path what it answers, --start-timeout how long it may take`,
    server.output
  )
}

const died = (server: ServerProcess) => {
  const { code, signal } = server.exit ?? { code: null, signal: null }
  const how = signal === null ? `exit code ${code}` : `signal ${signal}`
  const hint = code === 0 ? "; a server that goes into the background has to be told to stay in the foreground" : ""
  return new CheckFailed("DiedAtStart", `it ended before it answered: ${how}${hint}`, server.output)
}

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

/** With prior knowledge of HTTP/2 a server may speak nothing else, and one that is asked in HTTP/1.1 may not answer. */
const oneWayMillis = 2000

/** The status of an answer to the path; nothing if there is nobody, or if it ends without an answer. */
const statusOf = async (
  settings: Settings,
  server: ServerProcess,
  target: Target,
  limitMillis: number
): Promise<number | undefined> => {
  if (!settings.h2 || settings.tls) return overHttp1(settings, server, target, limitMillis)
  return await overHttp2(settings, target) ?? overHttp1(settings, server, target, oneWayMillis)
}

const overHttp2 = async (settings: Settings, target: Target): Promise<number | undefined> => {
  const client = new Http2Client(target, { name: "start", transcript: new Transcript(), tls: settings.tls })
  try {
    if (!(await client.opened(oneWayMillis))) return undefined
    const answer = await client.open(settings.path).answer(oneWayMillis)
    return answer._tag === "Whole" ? answer.status : undefined
  } finally {
    client.leave()
  }
}

const overHttp1 = async (
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
