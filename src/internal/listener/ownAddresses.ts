/**
 * Where this process listens with servers of ours: an address in use may be in use by the process itself.
 */
import type * as Net from "node:net"
import type { NodeServer, Options } from "../model/listener.js"

const listening = new Set<Net.Server>()

/** The server listens from now on, until it closes. */
export const listensHere = (server: NodeServer): void => {
  listening.add(server)
  server.once("close", () => listening.delete(server))
}

/** Whether one of them listens on the port, or on the path. */
export const isOwnAddress = ({ path, port }: Options): boolean =>
  Array.from(listening).some((server) => {
    const address = server.listening ? server.address() : null
    if (address === null) return false
    return typeof address === "string" ? address === path : path === undefined && address.port === Number(port)
  })
