/**
 * Whose a listening socket is. One that this process has bound is its own; one that it was given is others' as well:
 * what belongs to the socket and not to a descriptor of it, such as the length of its queue, is theirs, too.
 */
import type * as Net from "node:net"

/**
 * `"bound"`: this process has bound it. `"descriptor"`: it was listened with by its number, as systemd and other parents
 * pass it. `"handle"`: somebody else has made it, such as the primary of `node:cluster` where the kernel chooses the
 * worker (`SCHED_NONE`), or whoever calls `listen(handle)`.
 */
export type Origin = "bound" | "descriptor" | "handle"

/**
 * How a server that listens has come by its socket. Node keeps what it was asked for as `family:address:port` in
 * `_connectionKey`, without any of them for a descriptor (`null:null:null`) and with -1 for a handle (`-1:null:-1`); a
 * path is in `_pipeName`. The handle that the primary of a cluster passes to a worker has a `close` of its own, which
 * tells the primary; with SCHED_RR there is no socket, and so no `fd`. A Node that keeps none of this is taken to have
 * bound it.
 */
export const originOf = (server: Net.Server): Origin => {
  const { _connectionKey: key, _handle: handle, _pipeName: path } = server as unknown as {
    readonly _connectionKey?: unknown
    readonly _handle?: { readonly fd?: unknown } | null
    readonly _pipeName?: unknown
  }
  if (typeof handle?.fd === "number" && Object.hasOwn(handle, "close")) return "handle"
  if (typeof key !== "string" || typeof path === "string") return "bound"
  return key.startsWith("null:") ? "descriptor" : key.startsWith("-1:") ? "handle" : "bound"
}
