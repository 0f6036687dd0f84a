/**
 * Waits until the process at the other end of a connection has read all that it was sent.
 */
import * as Fs from "node:fs"
import type * as Net from "node:net"
import { pace, waitFor } from "./wait.js"

const limit = 15_000

const hex = (port: number): string => `:${port.toString(16).toUpperCase().padStart(4, "0")}`

/** What the kernel keeps for the peer of a connection over IPv4 loopback; `undefined` where there is no such socket. */
const unreadBytes = ({ localPort = 0, remotePort = 0 }: Net.Socket): number | undefined => {
  for (const line of Fs.readFileSync("/proc/net/tcp", "utf8").split("\n")) {
    // the peer's own entry: its local port is our remote one
    const [, local, remote, , queues] = line.trim().split(/\s+/)
    if (local?.endsWith(hex(remotePort)) !== true || remote?.endsWith(hex(localPort)) !== true) continue
    return Number.parseInt(queues?.split(":")[1] ?? "", 16)
  }
  return undefined
}

/** Elsewhere than on Linux, the kernel does not say: there it is given a while. */
export const untilRead = async (socket: Net.Socket): Promise<void> => {
  if (process.platform !== "linux") return pace(100)
  await waitFor("the server to read what it was sent", () => unreadBytes(socket) === 0, limit)
}
