/**
 * An instance behind a proxy: a plain Node server whose requests say how long they take. Its first argument is its
 * options, as JSON.
 */
import * as Http from "node:http"
import { quiesce } from "../../../src/promise.js"
import type { Policy } from "../../../src/Shutdown.js"
import { printEvent } from "../../support/printEvent.js"

export interface Options {
  readonly host: string
  readonly port: number
  /** Where the proxy asks whether it is ready. */
  readonly admin: number
  /** Without one, Node ends at SIGTERM. */
  readonly policy?: Policy
}

const { admin, host, policy, port } = JSON.parse(process.argv[2] ?? "{}") as Options

const server = Http.createServer((request, response) => {
  const millis = Number(new URL(request.url ?? "/", "http://localhost").searchParams.get("millis"))
  request.resume().once("end", () => void setTimeout(() => response.end("ok"), millis))
})
server.listen(port, host, () => {
  if (policy !== undefined) {
    void quiesce(server, { ...policy, admin: { host, port: admin }, signals: true, logger: false }).admin?.then(
      () => printEvent("listening", { port }),
      (cause) => {
        throw cause
      }
    )
    return
  }
  Http.createServer((_, response) => response.end("ok")).listen(admin, host, () => {
    printEvent("listening", { port })
  })
})
