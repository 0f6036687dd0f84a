/**
 * Where a start of the server shall listen, and how it is told.
 */
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { Settings, Target } from "../model.js"
import { freePort } from "../process/listening.js"

export interface Place {
  readonly command: ReadonlyArray<string>
  readonly env: Readonly<Record<string, string | undefined>>
  /** It is at one of them. */
  readonly targets: ReadonlyArray<Target>
}

const portMark = "{port}"
const socketMark = "{socket}"

const uses = (settings: Settings, mark: string) => settings.command.some((part) => part.includes(mark))

const replaced = (settings: Settings, mark: string, by: string) =>
  settings.command.map((part) => part.replaceAll(mark, by))

const hosts = ({ host }: Settings): ReadonlyArray<string> => host === undefined ? ["127.0.0.1", "::1"] : [host]

/** Whether each start can have a place of its own, as far as the settings say. */
export const isSeparate = (settings: Settings): boolean =>
  uses(settings, socketMark) || (settings.unix === undefined && settings.port === undefined)

export const isUnix = (settings: Settings): boolean => settings.unix !== undefined || uses(settings, socketMark)

let sockets = 0

/** `found`: where it listened at its first start, if that was not where it was told to. */
export const placeOf = async (settings: Settings, found?: Target): Promise<Place> => {
  if (isUnix(settings)) {
    const path = settings.unix ?? join(tmpdir(), `quiesce-${process.pid}-${++sockets}.sock`)
    return { command: replaced(settings, socketMark, path), env: settings.env, targets: [{ path }] }
  }
  if (found !== undefined && "port" in found) {
    return { ...told(settings, found.port), targets: [found] }
  }
  const port = settings.port ?? await freePort()
  return { ...told(settings, port), targets: hosts(settings).map((host) => ({ host, port })) }
}

const told = (settings: Settings, port: number) => ({
  command: replaced(settings, portMark, String(port)),
  env: { ...settings.env, PORT: String(port) }
})
