/** The app with express. */
import express from "express"
import { createServer } from "node:https"
import { address, big, echoAt, hello, lengthOf, slow, stream, tls } from "./app.mjs"

/** Its server, which is about to listen. */
export const start = () => {
  const app = express()
  app.get("/", (_, response) => response.send(hello))
  app.get("/slow", async (_, response) => response.send(await slow()))
  app.get("/big", (_, response) => response.send(big()))
  app.get("/stream", (_, response) => stream(response))
  app.post("/post", (request, response, next) => {
    lengthOf(request).then((body) => response.send(body), next)
  })
  const server = tls === undefined
    ? app.listen(address.port, address.host)
    : createServer(tls, app).listen(address)
  echoAt(server)
  return server
}
