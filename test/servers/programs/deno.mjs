// Deno as its page about graceful shutdown says: `shutdown()`, and an end after 10 s in any case.
// https://docs.deno.com/examples/http_server_graceful_shutdown/
const hello = "hello\n"
const big = new Uint8Array(20_000_000).fill(120)
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

const echo = (request) => {
  const { response, socket } = Deno.upgradeWebSocket(request)
  socket.addEventListener("message", ({ data }) => socket.send(data))
  return response
}

const routes = {
  "GET /": () => new Response(hello),
  "GET /slow": async () => {
    await new Promise((resolve) => setTimeout(resolve, 1000))
    return new Response(hello)
  },
  "GET /big": () => new Response(big),
  "GET /stream": stream,
  "POST /post": async (request) => new Response(`${(await request.bytes()).length}\n`),
  "GET /ws": echo
}

const fileOf = (name) => Deno.readTextFileSync(Deno.env.get(name))
const tls = Deno.env.has("TLS_CERT") ? { cert: fileOf("TLS_CERT"), key: fileOf("TLS_KEY") } : {}

const server = Deno.serve(
  { hostname: "127.0.0.1", port: Number(Deno.env.get("PORT")), ...tls },
  (request) =>
    routes[`${request.method} ${new URL(request.url).pathname}`]?.(request) ?? new Response("", { status: 404 })
)

const onSignal = async () => {
  const hardExit = setTimeout(() => Deno.exit(1), 10_000)
  await server.shutdown()
  clearTimeout(hardExit)
  Deno.removeSignalListener("SIGTERM", onSignal)
}
Deno.addSignalListener("SIGTERM", onSignal)
