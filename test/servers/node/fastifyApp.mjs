/** The app with fastify. */
import webSocket from "@fastify/websocket"
import fastify from "fastify"
import { address, big, echo, hello, lengthOf, slow, stream, tls } from "./app.mjs"

/** It does not listen yet. */
export const makeApp = async () => {
  const app = fastify(tls === undefined ? {} : { http2: true, https: { ...tls, allowHTTP1: true } })
  await app.register(webSocket)
  // a body is counted, whatever it is
  app.removeAllContentTypeParsers()
  app.addContentTypeParser("*", (_, payload, done) => done(null, payload))
  app.get("/", () => hello)
  app.get("/slow", slow)
  app.get("/big", () => big())
  app.get("/stream", (_, reply) => {
    reply.hijack()
    stream(reply.raw)
  })
  // over HTTP/2 fastify parses no body whose length is not said
  app.post("/post", (request) => lengthOf(request.body ?? request.raw))
  app.get("/ws", { websocket: true }, (socket) => void echo(socket))
  return app
}

export const listen = (app) => app.listen(address)
