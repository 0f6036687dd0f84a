// terminus as its README says: it listens for SIGTERM. `useExit0` is what the README recommends.
// https://github.com/godaddy/terminus#usage
import { createTerminus } from "@godaddy/terminus"
import { listen, makeServer } from "./nodeApp.mjs"

const server = makeServer()
createTerminus(server, { healthChecks: { "/healthcheck": () => Promise.resolve() }, useExit0: true })
listen(server)
