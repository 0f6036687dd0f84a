/**
 * Which ports and paths somebody listens on, as the kernel says, without a connection that the server would see.
 */
import * as Fs from "node:fs"
import * as Net from "node:net"
import type { Target } from "../model.js"

const tables = ["/proc/net/tcp", "/proc/net/tcp6"]
const listenState = "0A"

const rowsOf = (table: string): ReadonlyArray<ReadonlyArray<string>> =>
  table.trim().split("\n").slice(1).map((line) => line.trim().split(/\s+/))

const read = (path: string): string => {
  try {
    return Fs.readFileSync(path, "latin1")
  } catch {
    return ""
  }
}

/** A table that is not longer than that is read to its end. */
const shortTable = 16 * 1024

/**
 * The part of a table of TCP that has the sockets that listen: Linux lists them first. Behind them may be tens of
 * thousands that are in TIME_WAIT, for which the kernel needs a tenth of a second. Other kernels have another order; what
 * runs on those has short tables.
 */
const listeningPart = (path: string): string => {
  const chunk = Buffer.alloc(4096)
  let table = ""
  let file: number | undefined
  try {
    file = Fs.openSync(path, "r")
    for (let bytes = Fs.readSync(file, chunk); bytes > 0; bytes = Fs.readSync(file, chunk)) {
      table += chunk.toString("latin1", 0, bytes)
      if (table.length > shortTable && stateOf(lastRow(table)) !== listenState) break
    }
  } catch {
    // it is not on this system, or there is no IPv6
  } finally {
    if (file !== undefined) Fs.closeSync(file)
  }
  return table
}

const lastRow = (table: string): ReadonlyArray<string> => rowsOf(table.slice(-1024)).at(-2) ?? []

const stateOf = (row: ReadonlyArray<string>): string | undefined => row[3]

/** Whether the kernel can be asked here. */
export const canSeeListeners = (): boolean => Fs.existsSync("/proc/net/tcp")

interface Listener {
  readonly port: number
  readonly inode: string
}

const listenersIn = (table: string): ReadonlyArray<Listener> =>
  rowsOf(listeningPart(table)).filter((row) => stateOf(row) === listenState).map((row) => ({
    port: Number.parseInt(row[1]?.split(":")[1] ?? "", 16),
    inode: row[9] ?? ""
  }))

/** A table in which there is nothing takes as long as the other one has rows: it is not read without need. */
export const isListening = (target: Target): boolean => {
  if ("port" in target) return tables.some((table) => listenersIn(table).some(({ port }) => port === target.port))
  // flags with the bit of a socket that accepts
  return rowsOf(read("/proc/net/unix")).some((row) =>
    row[7] === target.path && (Number.parseInt(row[3] ?? "", 16) & 0x10000) !== 0
  )
}

/** The ports on which these processes listen. */
export const portsOf = (pids: ReadonlyArray<number>): ReadonlyArray<number> => {
  const held = new Set(pids.flatMap(socketsOf))
  return [...new Set(tables.flatMap(listenersIn).filter(({ inode }) => held.has(inode)).map(({ port }) => port))]
}

const range = "/proc/sys/net/ipv4/ip_local_port_range"

/** Whether a kernel takes such a port for who asks for any. */
export const isEphemeral = (port: number): boolean => {
  const [first, last] = read(range).split(/\s+/).map(Number)
  return port >= (first || 32_768) && port <= (last || 65_535)
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

/** Whether another process listens there. */
export const isTaken = async (target: Target): Promise<boolean> =>
  "path" in target ? isListening(target) : await bindError(target.host, target.port) === "EADDRINUSE"

const bindError = (host: string, port: number): Promise<string | undefined> =>
  new Promise((resolve) => {
    const server = Net.createServer()
    server.once("error", (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message))
    server.listen(port, host, () => server.close(() => resolve(undefined)))
  })
