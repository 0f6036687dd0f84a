import { createTerminus } from "@godaddy/terminus"
import { closed, graceMs, handler, listen, nodeServer } from "../servers/app.mjs"

const server = nodeServer(handler)
createTerminus(server, {
  healthChecks: { "/healthcheck": () => Promise.resolve() },
  timeout: graceMs,
  // It ends the process by SIGTERM otherwise, which says no more.
  useExit0: true,
  onShutdown: async () => closed()
})
listen(server)
