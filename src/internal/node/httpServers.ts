/**
 * What a Node server speaks, as its class says it.
 */
import * as Http from "node:http"
import * as Https from "node:https"
import * as Net from "node:net"

/** Whether a server speaks HTTP/2; only those have settings to update. */
export const isHttp2 = (server: Net.Server): boolean => "updateSettings" in server

/** Whether a server speaks HTTP at all. */
export const isHttp = (server: Net.Server): boolean =>
  server instanceof Http.Server || server instanceof Https.Server || isHttp2(server)

/** Whether a server is one of HTTP that is not built on `node:net`, as Bun makes them: nothing of it can be drained. */
export const isOfBun = (server: unknown): boolean => server instanceof Http.Server && !(server instanceof Net.Server)
