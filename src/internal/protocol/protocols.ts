/**
 * What is spoken over a connection from its first byte on, as far as that is known from the Node server that has accepted
 * it. A protocol is a file beside this one, and a line of this table.
 */
import type * as Net from "node:net"
import type { TrackedConnection } from "../core/connection.js"
import type { Protocol } from "../core/protocol.js"
import { isHttp } from "../node/httpServers.js"
import { Http1 } from "./http1.js"
import { Upgraded } from "./upgraded.js"

type Begin = (connection: TrackedConnection) => Protocol

/** A session of HTTP/2, and an upgrade, begin as HTTP/1.1: Node tells of them later. */
const protocols: ReadonlyArray<readonly [isSpokenBy: (server: Net.Server) => boolean, begin: Begin]> = [
  [isHttp, (connection) => new Http1(connection)]
]

/** What each connection that this server accepts begins to speak: a protocol that is not known is its handler's own. */
export const protocolOf = (server: Net.Server): Begin =>
  protocols.find(([isSpokenBy]) => isSpokenBy(server))?.[1] ?? ((connection) => new Upgraded(connection, "tcp"))
