// What Node's documentation says: stop accepting, close what is idle, wait for the rest.
import { closed, handler, listen, nodeServer } from "./app.mjs"

const server = nodeServer(handler)
listen(server)

process.once("SIGTERM", () => {
  server.close(closed)
  server.closeIdleConnections()
})
