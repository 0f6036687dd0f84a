// Bun with `stop()`, which its documentation has for the end. It leaves the signal to the program.
// https://bun.sh/reference/bun/Server/stop
const hello = "hello\n"
const big = Buffer.alloc(20_000_000, "x")
const event = new TextEncoder().encode("data: hello\n\n")

const stream = () => {
  let timer
  const events = new ReadableStream({
    start: (controller) => {
      controller.enqueue(event)
      timer = setInterval(() => controller.enqueue(event), 250)
    },
    cancel: () => clearInterval(timer)
  })
  return new Response(events, { headers: { "content-type": "text/event-stream" } })
}

const { TLS_CERT, TLS_KEY } = process.env
const tls = TLS_CERT === undefined ? undefined : { cert: Bun.file(TLS_CERT), key: Bun.file(TLS_KEY) }

const server = Bun.serve({
  tls,
  hostname: "127.0.0.1",
  port: Number(process.env.PORT),
  routes: {
    "/": () => new Response(hello),
    "/slow": async () => {
      await Bun.sleep(1000)
      return new Response(hello)
    },
    "/big": () => new Response(big),
    "/stream": stream,
    "/post": { POST: async (request) => new Response(`${(await request.arrayBuffer()).byteLength}\n`) },
    "/ws": (request, server) => server.upgrade(request) ? undefined : new Response("", { status: 426 })
  },
  websocket: {
    message: (webSocket, message) => void webSocket.send(message)
  }
})

process.on("SIGTERM", () => void server.stop())
