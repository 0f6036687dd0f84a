// express as its page about graceful shutdown says.
// https://expressjs.com/en/advanced/healthcheck-graceful-shutdown.html
import { start } from "./expressApp.mjs"

const server = start()

process.on("SIGTERM", () => server.close())
