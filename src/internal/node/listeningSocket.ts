/**
 * Whose a listening socket is. One that this process has bound is its own; one that it was given is others' as well:
 * what belongs to the socket and not to a descriptor of it, such as the length of its queue, is theirs, too.
 */
import type * as Net from "node:net"
import { connectionKeyOf, handleOf, hasPipeName } from "./internals.js"

/**
 * `"bound"`: this process has bound it. `"descriptor"`: it was listened with by its number, as systemd and other parents
 * pass it. `"handle"`: somebody else has made it, such as the primary of `node:cluster` where the kernel chooses the
 * worker (`SCHED_NONE`), or whoever calls `listen(handle)`.
 */
export type Origin = "bound" | "descriptor" | "handle"

/**
 * How a server that listens has come by its socket. The handle that the primary of a cluster passes to a worker has a
 * `close` of its own, which tells the primary; with SCHED_RR there is no socket, and so no `fd`.
 */
export const originOf = (server: Net.Server): Origin => {
  const handle = handleOf(server)
  if (typeof handle?.fd === "number" && Object.hasOwn(handle, "close")) return "handle"
  const key = connectionKeyOf(server)
  if (key === undefined || hasPipeName(server)) return "bound"
  return key.startsWith("null:") ? "descriptor" : key.startsWith("-1:") ? "handle" : "bound"
}
