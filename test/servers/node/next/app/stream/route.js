export const dynamic = "force-dynamic"

const event = new TextEncoder().encode("data: hello\n\n")

export const GET = () => {
  let timer
  const events = new ReadableStream({
    start: (controller) => {
      controller.enqueue(event)
      timer = setInterval(() => controller.enqueue(event), 250)
    },
    cancel: () => clearInterval(timer)
  })
  return new Response(events, { headers: { "content-type": "text/event-stream", "cache-control": "no-cache" } })
}
