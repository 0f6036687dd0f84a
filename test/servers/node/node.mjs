// `node:http` as it is: nothing listens for the signal, so it ends the process.
// https://nodejs.org/api/process.html#signal-events
import { listen, makeServer } from "./nodeApp.mjs"

listen(makeServer())
