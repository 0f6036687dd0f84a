/** The app on `node:http`. */
import { address, big, echoAt, hello, lengthOf, slow, stream } from "./app.mjs"
import { createServer } from "./nodeServer.mjs"

const routes = {
  "GET /": (_, response) => response.end(hello),
  "GET /slow": async (_, response) => response.end(await slow()),
  "GET /big": (_, response) => response.end(big()),
  "GET /stream": (_, response) => stream(response),
  "POST /post": async (request, response) => response.end(await lengthOf(request))
}

/** Its server, before it listens. */
export const makeServer = () => {
  const server = createServer((request, response) => {
    const route = routes[`${request.method} ${request.url}`]
    if (route === undefined) response.writeHead(404).end()
    // a client that leaves ends its request with an error
    else Promise.resolve(route(request, response)).catch(() => response.destroy())
  })
  echoAt(server)
  return server
}

export const listen = (server) => server.listen(address)
