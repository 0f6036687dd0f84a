/** The app with NestJS, in plain JavaScript: a decorator is a function. */
import { Controller, Get, HttpCode, Module, Post, Req, Res, Sse } from "@nestjs/common"
import { NestFactory } from "@nestjs/core"
import { WsAdapter } from "@nestjs/platform-ws"
import { WebSocketGateway } from "@nestjs/websockets"
import { interval, map, startWith } from "rxjs"
import { address, big, echo, eventMillis, hello, lengthOf, slow, tls } from "./app.mjs"

class AppController {
  hello() {
    return hello
  }
  slow() {
    return slow()
  }
  big(response) {
    response.send(big())
  }
  stream() {
    return interval(eventMillis).pipe(startWith(0), map(() => ({ data: "hello" })))
  }
  post(request) {
    return lengthOf(request)
  }
}
Controller()(AppController)
const method = (name, ...decorators) => {
  const descriptor = Object.getOwnPropertyDescriptor(AppController.prototype, name)
  for (const decorator of decorators) decorator(AppController.prototype, name, descriptor)
}
const first = (decorator) => (target, name) => decorator(target, name, 0)
method("hello", Get("/"))
method("slow", Get("/slow"))
method("big", Get("/big"), first(Res()))
method("stream", Sse("/stream"))
method("post", Post("/post"), HttpCode(200), first(Req()))

class EchoGateway {
  handleConnection(webSocket) {
    echo(webSocket)
  }
}
WebSocketGateway({ path: "/ws" })(EchoGateway)

// oxlint-disable-next-line no-extraneous-class -- a module of Nest is what its decorator says
class AppModule {}
Module({ controllers: [AppController], providers: [EchoGateway] })(AppModule)

export const makeApp = async () => {
  const app = await NestFactory.create(AppModule, {
    bodyParser: false,
    logger: ["error", "warn"],
    ...tls === undefined ? {} : { httpsOptions: tls }
  })
  app.useWebSocketAdapter(new WsAdapter(app))
  return app
}

export const listen = (app) => app.listen(address.port, address.host)
