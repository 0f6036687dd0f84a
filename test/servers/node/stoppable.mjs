// stoppable as its README says. It leaves the signal to the program.
// https://github.com/hunterloftis/stoppable#usage
import stoppable from "stoppable"
import { listen, makeServer } from "./nodeApp.mjs"

const server = listen(stoppable(makeServer()))

process.on("SIGTERM", () => server.stop())
