/** The app with express. */
import express from "express"
import { address, big, echoAt, hello, lengthOf, slow, stream } from "./app.mjs"

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
  const server = app.listen(address.port, address.host)
  echoAt(server)
  return server
}
