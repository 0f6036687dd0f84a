// What is behind the proxies. It goes on running, and keeps their connections.
import { listen, makeServer } from "../node/nodeApp.mjs"

const server = listen(makeServer())
server.keepAliveTimeout = 0
server.once("listening", () => process.send(server.address().port))

process.once("disconnect", () => process.exit())
