import type * as Socket from "effect/socket/Socket"
import type { TrackedConnection } from "../core/connection.js"

/** A socket of Effect 4 is not opened a second time. */
export const once = (socket: Socket.Socket, _connection: TrackedConnection | undefined): Socket.Socket => socket
