/**
 * Which ports and paths somebody listens on, as the kernel says, without a connection that the server would see.
 */
import * as Fs from "node:fs"
import * as Net from "node:net"
import type { Target } from "../model.js"

const tables = ["/proc/net/tcp", "/proc/net/tcp6"]
const listenState = "0A"

const rows = (table: string): ReadonlyArray<ReadonlyArray<string>> => {
  try {
    return Fs.readFileSync(table, "latin1").trim().split("\n").slice(1).map((line) => line.trim().split(/\s+/))
  } catch {
    return []
  }
}

/** Whether the kernel can be asked here. */
export const canSeeListeners = (): boolean => Fs.existsSync("/proc/net/tcp")

/** The inodes of the sockets that listen, by port. */
const listeners = (): ReadonlyArray<{ readonly port: number; readonly inode: string }> =>
  tables.flatMap(rows).filter((row) => row[3] === listenState).map((row) => ({
    port: Number.parseInt(row[1]?.split(":")[1] ?? "", 16),
    inode: row[9] ?? ""
  }))

export const isListening = (target: Target): boolean => {
  if ("port" in target) return listeners().some(({ port }) => port === target.port)
  // flags with the bit of a socket that accepts
  return rows("/proc/net/unix").some((row) =>
    row[7] === target.path && (Number.parseInt(row[3] ?? "", 16) & 0x10000) !== 0
  )
}

/** The ports on which these processes listen. */
export const portsOf = (pids: ReadonlyArray<number>): ReadonlyArray<number> => {
  const held = new Set(pids.flatMap(socketsOf))
  return [...new Set(listeners().filter(({ inode }) => held.has(inode)).map(({ port }) => port))]
}

const socketsOf = (pid: number): ReadonlyArray<string> => {
  try {
    return Fs.readdirSync(`/proc/${pid}/fd`).flatMap((name) => {
      try {
        const inode = /^socket:\[(\d+)\]$/.exec(Fs.readlinkSync(`/proc/${pid}/fd/${name}`))?.[1]
        return inode === undefined ? [] : [inode]
      } catch {
        return []
      }
    })
  } catch {
    return []
  }
}

/**
 * Below the range from which kernels take the ports of clients: a client of ours must not have it by chance, nor
 * connect to itself. Each process has a part of it: a server binds its port a while after it was told, and two checks at
 * once must not tell the same.
 */
const firstPort = 20_000
const portsEach = 275
const parts = 40
const taken = new Set<number>()

/** A port that nobody uses on the loopback addresses of this machine. */
export const freePort = async (): Promise<number> => {
  for (;;) {
    const port = firstPort + (process.pid % parts) * portsEach + Math.floor(Math.random() * portsEach)
    if (taken.has(port)) continue
    if (taken.size > portsEach / 2) taken.clear()
    taken.add(port)
    if (await canBind(port)) return port
  }
}

/** Whether a port can be bound on all loopback addresses. */
export const canBind = async (port: number): Promise<boolean> =>
  await bindError("127.0.0.1", port) === undefined
  && ["EADDRNOTAVAIL", "EAFNOSUPPORT", undefined].includes(await bindError("::1", port))

const bindError = (host: string, port: number): Promise<string | undefined> =>
  new Promise((resolve) => {
    const server = Net.createServer()
    server.once("error", (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message))
    server.listen(port, host, () => server.close(() => resolve(undefined)))
  })
