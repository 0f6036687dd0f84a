/**
 * The file of a Unix socket. Whoever binds a path makes a file there, and libuv removes whatever has that name when it
 * closes the socket, also the file of a successor that has put its own in the place of ours. A file is ours while its
 * device and inode are those that it had when the path was bound: the kernel keeps the inode until the socket is closed,
 * and so nobody else's file can have it.
 *
 * What holds: a file that is another's before we look is never removed. libuv's own removal cannot be kept from
 * happening, and so such a file is moved aside for the time of it: some ten microseconds in which the name is not there.
 * One that is put there between our look and the removal, which follow each other at once, is lost.
 */
import * as Fs from "node:fs"
import type * as Net from "node:net"
import * as Path from "node:path"
import { originOf } from "./listeningSocket.js"

/** A file that this process, or the predecessor that has passed the socket on, has made. */
export interface SocketFile {
  readonly path: string
  /** Its device and inode. */
  readonly identity: string
}

const identityOf = (path: string): string | undefined => {
  try {
    const { dev, ino } = Fs.statSync(path, { bigint: true })
    return `${dev}:${ino}`
  } catch {
    // nothing has that name
    return undefined
  }
}

/** Whether a path names a file: neither an abstract socket of Linux (its name begins with a zero) nor a named pipe does. */
export const isFile = (path: string): boolean => process.platform !== "win32" && !path.startsWith("\0")

/** The file that a path names now. */
export const fileAt = (path: string): SocketFile | undefined => {
  const resolved = Path.resolve(path)
  const identity = isFile(path) ? identityOf(resolved) : undefined
  return identity === undefined ? undefined : { path: resolved, identity }
}

/** The file that a server has made for itself, if it listens on one: to be asked as soon as it listens. */
export const fileOf = (server: Net.Server): SocketFile | undefined => {
  const address = server.address()
  return typeof address === "string" && originOf(server) === "bound" ? fileAt(address) : undefined
}

const isStill = ({ identity, path }: SocketFile): boolean => identityOf(path) === identity

let names = 0

/** A name in the same directory that nobody else uses. */
export const nameBeside = (path: string): string =>
  Path.join(Path.dirname(path), `.${process.pid.toString(36)}-${(names++).toString(36)}`)

/** Runs `close`, which removes whatever is at the path of `file`, and leaves what is another's there. */
export const sparing = (file: SocketFile | undefined, close: () => void): void => {
  if (file === undefined || isStill(file)) return close()
  const aside = nameBeside(file.path)
  if (!move(file.path, aside)) return close()
  try {
    close()
  } finally {
    putBack(aside, file.path)
  }
}

/** Removes a file that is ours, and no other. */
export const removeOwn = (file: SocketFile): void => {
  if (!isStill(file)) return
  const aside = nameBeside(file.path)
  if (!move(file.path, aside)) return
  // what was moved is what we have looked at, unless it was replaced in between
  if (identityOf(aside) === file.identity) Fs.rmSync(aside, { force: true })
  else putBack(aside, file.path)
}

/** `false`: there is nothing to move, or the directory may not be written to, and then nothing can be removed either. */
const move = (from: string, to: string): boolean => {
  try {
    Fs.renameSync(from, to)
    return true
  } catch {
    return false
  }
}

/** Unless somebody has bound the path anew by now: then that is where clients have to go. */
const putBack = (aside: string, path: string): void => {
  if (Fs.existsSync(path)) Fs.rmSync(aside, { force: true })
  else move(aside, path)
}
