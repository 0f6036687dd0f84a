// NestJS, in plain JavaScript: a decorator is a function. `app.close()` in `finally` runs `onModuleDestroy`,
// `beforeApplicationShutdown` and `onApplicationShutdown` when the last request has been answered.
//
//   node nest.js
//   curl localhost:3000/slow       and Ctrl-C the server
import { Controller, Get, HttpCode, Module, Post, Sse } from "@nestjs/common"
import { NestFactory } from "@nestjs/core"
import { setTimeout } from "node:timers/promises"
import { quiesce } from "quiesce/promise"
import { interval, map } from "rxjs"

class AppController {
  hello() {
    return "hello\n"
  }
  slow() {
    return setTimeout(1000, "hello, one second later\n")
  }
  order() {
    return "accepted\n"
  }
  ticks() {
    return interval(200).pipe(map((count) => ({ data: `${count}` })))
  }
  onApplicationShutdown() {
    console.log("database closed")
  }
}
const route = (name, ...decorators) => {
  const descriptor = Object.getOwnPropertyDescriptor(AppController.prototype, name)
  for (const decorator of decorators) decorator(AppController.prototype, name, descriptor)
}
route("hello", Get("/"))
route("slow", Get("/slow"))
route("order", Post("/orders"), HttpCode(202))
route("ticks", Sse("/ticks"))
Controller()(AppController)

class AppModule {}
Module({ controllers: [AppController] })(AppModule)

// without `app.enableShutdownHooks()`: it would close the server at the signal, as well
const app = await NestFactory.create(AppModule, { logger: ["error", "warn", "log"] })
quiesce(app.getHttpServer(), { signals: true, finally: () => app.close() })
await app.listen(Number(process.env.PORT ?? 3000), "127.0.0.1")
