/**
 * The port of a server that has closed is soon another's: of a test that runs beside this one. A client that goes on
 * asking for it is to be refused, and not to meet that server. All of `127.0.0.0/8` is loopback on Linux, and so each
 * process can have an address for itself.
 */
import { threadId } from "node:worker_threads"

export const ownLoopback = process.platform === "linux"
  ? `127.${1 + threadId % 254}.${process.pid >> 8 & 255}.${1 + process.pid % 254}`
  : "127.0.0.1"
