import { createHttpTerminator } from "http-terminator"
import { closed, graceMs, handler, listen, nodeServer } from "../servers/app.mjs"

const server = nodeServer(handler)
const terminator = createHttpTerminator({ server, gracefulTerminationTimeout: graceMs })
listen(server)

process.once("SIGTERM", () => void terminator.terminate().then(closed))
