// hapi. It makes its own server, which quiesce takes: hapi's `stop` would end idle connections at once, and has a
// deadline of its own. So it comes last, when there is nothing left to stop, for what waits for its `stop` event.
//
//   node hapi.js
//   curl localhost:3000/slow       and Ctrl-C the server
import Hapi from "@hapi/hapi"
import { setTimeout } from "node:timers/promises"
import { quiesce } from "quiesce/promise"

const server = Hapi.server({ host: "127.0.0.1", port: Number(process.env.PORT ?? 3000) })
server.route([
  { method: "GET", path: "/", handler: () => "hello\n" },
  { method: "GET", path: "/slow", handler: () => setTimeout(1000, "hello, one second later\n") },
  { method: "POST", path: "/orders", handler: (request, h) => h.response("accepted\n").code(202) }
])

quiesce(server.listener, { signals: true, finally: () => server.stop() })
await server.start()
