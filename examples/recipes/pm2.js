// A server that knows nothing of quiesce, under PM2:
//
//   npx pm2 start pm2.config.cjs
//   npx pm2 reload pm2.config.cjs
import { createServer } from "node:http"

const port = Number(process.env.PORT ?? 3000)

createServer((request, response) => {
  response.setHeader("x-process", process.pid)
  if (request.url === "/slow") setTimeout(() => response.end("hello, after a while\n"), 1500)
  else response.end("hello\n")
}).listen(port, "127.0.0.1")
