/**
 * What is spoken over a connection from its first byte on, as far as that is known from the Node server that has accepted
 * it. A protocol is a file beside this one, and a line of this table.
 */
import * as Http from "node:http"
import * as Https from "node:https"
import type { TrackedConnection } from "../core/connection.js"
import type { Protocol } from "../core/protocol.js"
import type { NodeServer } from "../model/listener.js"
import { Http1 } from "./http1.js"
import { Upgraded } from "./upgraded.js"

/** Whether a server speaks HTTP/2; only those have settings to update. */
export const isHttp2 = (server: NodeServer): boolean => "updateSettings" in server

/** Whether a server speaks HTTP at all. */
export const isHttp = (server: NodeServer): boolean =>
  server instanceof Http.Server || server instanceof Https.Server || isHttp2(server)

type Begin = (connection: TrackedConnection) => Protocol

/** A session of HTTP/2, and an upgrade, begin as HTTP/1.1: Node tells of them later. */
const protocols: ReadonlyArray<readonly [isSpokenBy: (server: NodeServer) => boolean, begin: Begin]> = [
  [isHttp, (connection) => new Http1(connection)]
]

/** What each connection that this server accepts begins to speak: a protocol that is not known is its handler's own. */
export const protocolOf = (server: NodeServer): Begin =>
  protocols.find(([isSpokenBy]) => isSpokenBy(server))?.[1] ?? ((connection) => new Upgraded(connection, "tcp"))
