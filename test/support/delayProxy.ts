/**
 * A TCP proxy that adds a delay in each direction: the distance between a client and its server. Bytes, FIN and RST
 * arrive later, in order, and as what they were.
 */
import * as Net from "node:net"
import { portOf } from "./nodeServer.js"
import type { Target } from "./rawClient.js"

export interface DelayProxy {
  readonly target: { readonly port: number }
  /**
   * The proxy has to accept before it can know that its upstream refuses. These are the local ports of clients that
   * were never connected to the server: for them a reset is a refusal.
   */
  readonly refused: ReadonlySet<number>
  readonly close: () => Promise<void>
}

export const delayProxy = async (upstream: Target, delayMs: number): Promise<DelayProxy> => {
  const refused = new Set<number>()
  const sockets = new Set<Net.Socket>()
  const later = (f: () => void) => void setTimeout(f, delayMs)

  const forward = (from: Net.Socket, to: Net.Socket) => {
    from.on("data", (chunk: Buffer) => later(() => to.write(chunk)))
    from.on("end", () => later(() => to.end()))
    from.on("error", () => later(() => to.resetAndDestroy()))
    from.on("close", () => sockets.delete(from))
  }

  const server = Net.createServer({ allowHalfOpen: true, noDelay: true }, (client) => {
    const port = client.remotePort!
    const far = Net.connect({
      ...("path" in upstream ? upstream : { host: "127.0.0.1", ...upstream }),
      allowHalfOpen: true,
      noDelay: true
    })
    sockets.add(client).add(far)
    refused.add(port)
    far.once("connect", () => refused.delete(port))
    forward(client, far)
    forward(far, client)
  })
  await new Promise<void>((resolve) => server.listen({ host: "127.0.0.1", port: 0, backlog: 1024 }, resolve))

  return {
    target: { port: portOf(server) },
    refused,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        sockets.forEach((socket) => socket.destroy())
      })
  }
}
