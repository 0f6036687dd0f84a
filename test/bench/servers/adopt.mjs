// The server of node.mjs, taken over by one call.
import { quiesce } from "quiesce/promise"
import { closed, graceMs, handler, listen, nodeServer } from "./app.mjs"

const server = nodeServer(handler)
listen(server)

void quiesce(server, { timeout: graceMs, signals: true }).closed.then(closed)
