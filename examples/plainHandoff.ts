// A restart that no client notices, without Effect: on SIGUSR2 a new process of this program gets the listening socket, and
// this one answers what it has begun, closes its database, and ends.
//
//   node --import tsx examples/plainHandoff.ts
//   while curl -s localhost:3000; do sleep 0.1; done       and: kill -USR2 <the process that answers>
//   curl -X POST localhost:3000/upgrade                    does the same from inside
//   WORKERS=2 node --import tsx examples/plainHandoff.ts   SIGUSR2 to the primary replaces its workers one by one
import cluster from "node:cluster"
import { createServer } from "node:http"
import { setTimeout } from "node:timers/promises"
import { launchWorkers, quiesce } from "quiesce/promise"

const port = Number(process.env["PORT"] ?? 3000)
const workers = Number(process.env["WORKERS"] ?? 0)

const serve = async () => {
  // what requests need is there before the successor says that it is ready
  const database = { close: () => setTimeout(10) }
  await setTimeout(10)

  const answer = async (path: string | undefined): Promise<string> => {
    if (path === "/upgrade") return server.upgrade().then(({ pid }) => `process ${pid} accepts now\n`, String)
    if (path === "/slow") await setTimeout(2000)
    return `hello from process ${process.pid}\n`
  }
  const node = createServer((request, response) => void answer(request.url).then((text) => response.end(text)))
  const server = quiesce(node, {
    handoff: { listen: { host: "127.0.0.1", port }, timeout: "30 seconds" },
    finally: () => database.close()
  })
  for (const address of await server.listening ?? []) console.log("Listening on", address)
}

if (workers > 0 && cluster.isPrimary) await launchWorkers({ workers })
else await serve()
