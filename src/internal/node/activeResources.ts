/**
 * What keeps this process alive, in words: kinds of resources as Node names them, and of a socket, a server or a child
 * which one it is.
 */
import { ChildProcess } from "node:child_process"
import * as Net from "node:net"
import { activeHandles, isPipe, kindOf } from "./internals.js"

/** Node's names of what is often met; others are said as they are. */
const words: { readonly [kind: string]: readonly [one: string, many: string] } = {
  Timeout: ["a timer", "timers"],
  Immediate: ["an immediate", "immediates"],
  TCPServerWrap: ["a TCP server", "TCP servers"],
  TCPSocketWrap: ["a TCP connection", "TCP connections"],
  TLSWrap: ["a TLS connection", "TLS connections"],
  ConnectWrap: ["a connection that is being made", "connections that are being made"],
  PipeServerWrap: ["a server on a Unix socket", "servers on Unix sockets"],
  PipeWrap: ["a pipe", "pipes"],
  TTYWrap: ["a terminal", "terminals"],
  UDPWrap: ["a UDP socket", "UDP sockets"],
  ProcessWrap: ["a child process", "child processes"],
  FSEventWrap: ["a file watcher", "file watchers"],
  StatWatcher: ["a file watcher", "file watchers"],
  FSReqCallback: ["a file operation", "file operations"],
  FSReqPromise: ["a file operation", "file operations"],
  GetAddrInfoReqWrap: ["a DNS look-up", "DNS look-ups"],
  QueryReqWrap: ["a DNS query", "DNS queries"],
  MessagePort: ["a worker thread", "worker threads"],
  Worker: ["a worker thread", "worker threads"]
}

/** How many kinds a line names. */
const limit = 8

/** The channel to a parent process (`fork`, `node:cluster`, PM2) counts as nothing: it is there as long as the parent. */
export const activeResources = (): ReadonlyArray<string> => {
  const kinds = [...process.getActiveResourcesInfo()]
  const said: Array<string> = []
  const take = (kind: string, text?: string) => {
    const at = kinds.indexOf(kind)
    if (at < 0) return
    kinds.splice(at, 1)
    if (text !== undefined) said.push(text)
  }
  for (const handle of activeHandles()) {
    if (typeof handle !== "object" || handle === null) continue
    if (handle === process.stdout || handle === process.stderr) take(kindOf(handle))
    else if (handle === process.stdin) take(kindOf(handle), "stdin")
    else if (isPipe(handle) && process.channel !== undefined) take("PipeWrap")
    else if (handle instanceof Net.Server) take("TCPServerWrap", serverInWords(handle))
    else if (handle instanceof Net.Socket && handle.remoteAddress !== undefined) {
      take(kindOf(handle), `a connection to ${handle.remoteAddress}:${handle.remotePort ?? 0}`)
    } else if (handle instanceof ChildProcess) {
      take("ProcessWrap", `child process ${handle.pid ?? 0} (${handle.spawnfile})`)
      // its pipes go with it
      for (const stream of handle.stdio) if (stream !== null) take("PipeWrap")
    }
  }
  return grouped(kinds, said)
}

const grouped = (kinds: ReadonlyArray<string>, said: ReadonlyArray<string>): ReadonlyArray<string> => {
  const counts = new Map<string, number>()
  for (const each of [...said, ...kinds]) counts.set(each, (counts.get(each) ?? 0) + 1)
  const all = Array.from(counts, ([each, count]) => {
    const known = words[each]
    if (known !== undefined) return count === 1 ? known[0] : `${count} ${known[1]}`
    return count === 1 ? each : `${count} times ${each}`
  })
  return all.length <= limit ? all : [...all.slice(0, limit), `and ${all.length - limit} more kinds`]
}

const serverInWords = (server: Net.Server): string => {
  const address = server.address()
  if (address === null) return "a server that closes"
  return typeof address === "string" ? `a server on ${address}` : `a server on port ${address.port}`
}
