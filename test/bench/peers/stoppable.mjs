import stoppable from "stoppable"
import { closed, graceMs, handler, listen, nodeServer } from "../servers/app.mjs"

const server = stoppable(nodeServer(handler), graceMs)
listen(server)

process.once("SIGTERM", () => server.stop(closed))
