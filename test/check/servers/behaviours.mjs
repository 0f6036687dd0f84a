/**
 * Servers that are hard to start or to end: `node behaviours.mjs <behaviour>`. Each of their processes adds a line with its
 * pid to the file PIDS.
 */
import { spawn } from "node:child_process"
import * as Fs from "node:fs"
import * as Http from "node:http"

const [behaviour = "", child = ""] = process.argv.slice(2)
const { HOST = "127.0.0.1", LATE = "0", METRICS_PORT, OWN_PORT, PIDS, PORT, SOCKET } = process.env

const note = (pid) => PIDS !== undefined && Fs.appendFileSync(PIDS, `${pid}\n`)

const fork = (detached) => {
  const forked = spawn(process.execPath, [process.argv[1], behaviour, "child"], { detached, stdio: "inherit" })
  note(forked.pid)
  return forked
}

const serve = () => {
  const server = Http.createServer((_, response) => response.end("hello"))
  server.listen(SOCKET === undefined ? { port: Number(OWN_PORT ?? PORT), host: HOST } : { path: SOCKET })
  process.on("SIGTERM", () => server.close(() => process.exit(0)))
}

/** It has nothing at the path that is asked for. */
const serveMetrics = (port) => Http.createServer((_, response) => response.writeHead(404).end()).listen(port, HOST)

if (child === "child") {
  process.on("SIGTERM", () => {})
  setInterval(() => {}, 1000)
} else {
  note(process.pid)
  switch (behaviour) {
    case "serves":
      setTimeout(serve, Number(LATE))
      break
    case "mute":
      Fs.closeSync(1)
      Fs.closeSync(2)
      serve()
      break
    case "metrics":
      serveMetrics(Number(METRICS_PORT))
      setTimeout(serve, Number(LATE))
      break
    case "forks":
      // one in its process group, and one that has left it
      fork(false)
      fork(true).unref()
      serve()
      break
    case "ignores":
      process.on("SIGTERM", () => {})
      Http.createServer((_, response) => response.end("hello")).listen(Number(PORT), HOST)
      break
    case "dies":
      fork(true).unref()
      console.error("the database is not there")
      process.exit(7)
      break
    case "daemon":
      fork(true).unref()
      break
    case "prints": {
      const line = "a line that says nothing, again and again\n".repeat(1000)
      setInterval(() => process.stdout.write(line), 1)
      serve()
      break
    }
    case "never":
      fork(false)
      setInterval(() => {}, 1000)
  }
}
