import gracefulShutdown from "http-graceful-shutdown"
import { closed, graceMs, handler, listen, nodeServer } from "../servers/app.mjs"

const server = nodeServer(handler)
gracefulShutdown(server, { timeout: graceMs, finally: closed })
listen(server)
