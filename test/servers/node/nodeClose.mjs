// `node:http` with `server.close()`, which stops accepting, closes idle connections, and waits for the others.
// https://nodejs.org/api/http.html#serverclosecallback
import { listen, makeServer } from "./nodeApp.mjs"

const server = listen(makeServer())

process.on("SIGTERM", () => server.close())
