// A queue in memory without Effect: orders are answered with 202, and fulfilled two at a time. A shutdown waits until
// the queue is empty, and for the job that runs by the clock; then the database is closed.
//
//   node --import tsx examples/queue.ts
//   for i in $(seq 20); do curl -d "order $i" localhost:3000/orders; done       and Ctrl-C the server
import * as fastq from "fastq"
import { createServer, type IncomingMessage, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"
import { text } from "node:stream/consumers"
import { setInterval, setTimeout } from "node:timers/promises"
import { quiesce, ServerClosed } from "quiesce/promise"

const port = Number(process.env["PORT"] ?? 3000)

let fulfilled = 0

const orders = fastq.promise(async (order: string) => {
  await setTimeout(250)
  fulfilled++
  console.log(`fulfilled ${order}`)
}, 2)

const accept = async (request: IncomingMessage, response: ServerResponse) => {
  try {
    const order = await text(request)
    server.track("orders", orders.push(order))
    response.writeHead(202).end(`accepted ${order}\n`)
  } catch (error) {
    response.writeHead(error instanceof ServerClosed ? 503 : 400).end()
  }
}

const nodeServer = createServer((request, response) => void accept(request, response))

const server = quiesce(nodeServer, {
  signals: true,
  finally: () => console.log(`${fulfilled} orders fulfilled; database closed`)
})

server.worker("stocktaking", async (signal) => {
  // ends as the signal is aborted; what has begun is finished
  for await (const _ of setInterval(2000, undefined, { signal })) console.log("counted the stock")
})

nodeServer.listen(port, "127.0.0.1", () => {
  console.log(`Listening on http://127.0.0.1:${(nodeServer.address() as AddressInfo).port}`)
})
