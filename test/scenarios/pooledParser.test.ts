import { once } from "node:events"
import * as Https from "node:https"
import * as Tls from "node:tls"
import { expect, it } from "vitest"
import { quiesce } from "../../src/promise.js"
import { certificate } from "../support/certificate.js"
import { pipelinedGets } from "../support/httpRequests.js"
import { listenOnLoopback, portOf } from "../support/nodeServer.js"
import { limit } from "../support/running.js"
import { waitFor } from "../support/wait.js"

// Node uses the parser of a connection that has closed for another one.

it("the parser of a connection over TLS whose requests were pipelined is Node's own again when that has closed", async () => {
  let parser: object | undefined
  const node = await listenOnLoopback(Https.createServer(certificate, (request, response) => {
    parser ??= (request.socket as { readonly parser?: object }).parser
    setTimeout(() => response.end("answered"), 20)
  }))
  const server = quiesce(node, { logger: false })
  const client = Tls.connect({ port: portOf(node), host: "127.0.0.1", rejectUnauthorized: false })
  await once(client, "secureConnect")
  const isReplaced = () => parser !== undefined && Object.hasOwn(parser, "pause")
  client.write(pipelinedGets(2))
  await waitFor("requests that are pipelined", isReplaced, limit)
  client.destroy()
  await waitFor("Node's own pause", () => !isReplaced(), limit)
  expect(await server.shutdown()).toMatchObject({ outcome: "Drained" })
})
