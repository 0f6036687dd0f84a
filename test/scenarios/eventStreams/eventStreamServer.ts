/**
 * Event streams of plain Node handlers, over each protocol, and clients that read them.
 */
import * as Http from "node:http"
import * as Http2 from "node:http2"
import * as Https from "node:https"
import type { Server as NetServer } from "node:net"
import { quiesce, type Report, type Server } from "../../../src/promise.js"
import type { Policy } from "../../../src/Shutdown.js"
import { certificate } from "../../support/certificate.js"
import { portOf } from "../../support/nodeServer.js"
import { waitFor } from "../../support/wait.js"

export const limit = 15_000

export const protocols = ["http", "https", "h2c", "h2"] as const

export type Protocol = typeof protocols[number]

/** What the two kinds of request and response of Node have in common here. */
export type Handler = (request: Http.IncomingMessage, response: Http.ServerResponse) => void

export interface Adopted {
  readonly server: Server
  readonly port: number
  readonly lines: ReadonlyArray<string>
  readonly stop: () => Promise<Report>
}

const made = (protocol: Protocol, handler: Handler): NetServer => {
  const compatible = handler as unknown as (
    request: Http2.Http2ServerRequest,
    response: Http2.Http2ServerResponse
  ) => void
  switch (protocol) {
    case "http":
      return Http.createServer(handler)
    case "https":
      return Https.createServer(certificate, handler)
    case "h2c":
      return Http2.createServer(compatible)
    case "h2":
      return Http2.createSecureServer(certificate, compatible)
  }
}

/** Listens with a Node server, adopted by `quiesce`. */
export const adopt = async (node: NetServer, policy: Policy = {}): Promise<Adopted> => {
  await new Promise<void>((resolve) => node.listen(0, "127.0.0.1", resolve))
  const lines: Array<string> = []
  const server = quiesce(node, {
    timeout: 3000,
    killTimeout: 200,
    idleGrace: 0,
    ...policy,
    logger: (_, line) => void lines.push(line)
  })
  return {
    server,
    lines,
    port: portOf(node),
    stop: () => waitFor("the report", server.shutdown(), limit)
  }
}

export const serving = (protocol: Protocol, handler: Handler, policy?: Policy) => adopt(made(protocol, handler), policy)

export interface Reader {
  readonly text: () => string
  readonly status: () => number | undefined
  /** `whole`: it ended as a response ends. `cut`: before that. */
  readonly ending: () => "open" | "whole" | "cut"
  readonly untilText: (text: string) => Promise<unknown>
  readonly untilEnded: () => Promise<"whole" | "cut">
  readonly pause: () => void
  readonly resume: () => void
  readonly leave: () => void
}

export interface Asked {
  readonly method?: string
  readonly accept?: string | undefined
  readonly path?: string
}

/** Sends a request, and reads its answer. */
export const read = (protocol: Protocol, port: number, { accept, method = "GET", path = "/" }: Asked = {}): Reader => {
  let text = ""
  let status: number | undefined
  let ending: "open" | "whole" | "cut" = "open"
  const end = (how: "whole" | "cut") => {
    if (ending === "open") ending = how
  }
  const headers = accept === undefined ? {} : { accept }
  const reader = (control: Pick<Reader, "pause" | "resume" | "leave">): Reader => ({
    ...control,
    text: () => text,
    status: () => status,
    ending: () => ending,
    untilText: (wanted) => waitFor(() => `${wanted} in ${text}`, () => text.includes(wanted), limit),
    untilEnded: () =>
      waitFor(() => `the end after ${text.slice(-200)}`, () => ending === "open" ? undefined : ending, limit)
  })
  if (protocol === "http" || protocol === "https") {
    let response: Http.IncomingMessage | undefined
    const { request } = protocol === "http" ? Http : Https
    const client = request(
      { host: "127.0.0.1", port, path, method, headers, agent: false, ca: certificate.cert },
      (res) => {
        response = res
        status = res.statusCode
        res.setEncoding("utf8").on("data", (piece: string) => (text += piece))
        res.on("error", () => {}).on("close", () => end(res.complete ? "whole" : "cut"))
      }
    )
    client.on("error", () => end("cut")).end()
    return reader({
      pause: () => response?.pause(),
      resume: () => response?.resume(),
      leave: () => client.destroy()
    })
  }
  const session = Http2.connect(`${protocol === "h2" ? "https" : "http"}://127.0.0.1:${port}`, { ca: certificate.cert })
  session.on("error", () => {})
  const stream = session.request({ ":path": path, ":method": method, ...headers }, { endStream: true })
  let isWhole = false
  stream.setEncoding("utf8").on("data", (piece: string) => (text += piece)).on("error", () => {})
  stream.on("response", (head) => (status = head[":status"]))
  stream.on("end", () => (isWhole = true))
  stream.on("close", () => {
    end(isWhole && stream.rstCode === 0 ? "whole" : "cut")
    session.close()
  })
  return reader({
    pause: () => void stream.pause(),
    resume: () => void stream.resume(),
    leave: () => session.destroy()
  })
}
