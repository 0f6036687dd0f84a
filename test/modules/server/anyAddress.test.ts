/** A server that listens on all interfaces says so as Node does, and to Effect as stock does. */
import { HttpServer } from "@effect/platform"
import * as Stock from "@effect/platform-node/NodeHttpServer"
import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Layer, LogLevel } from "effect"
import { createServer, type Server as NodeServer } from "node:http"
import { NodeHttpServer, Server } from "../../../src/index.js"
import { describeUnless } from "../../support/describeWith.js"
import { noIpv6 } from "../../support/ipv6.js"
import { portOf } from "../../support/nodeServer.js"
import { collectLog } from "../telemetry/collectLog.js"

/** The port is written as `port`. */
const text = (node: NodeServer, address: Parameters<typeof HttpServer.formatAddress>[0]) =>
  HttpServer.formatAddress(address).replace(String(portOf(node)), "port")

const listeningOn = (host: string, written: string) => () => {
  it.scoped("is called by that in its log, and its address is Node's own", () => {
    const log = collectLog(LogLevel.Debug)
    return Effect.gen(function*() {
      const node = createServer()
      const context = yield* Layer.build(NodeHttpServer.layer(() => node, { host, port: 0 }))
      const port = portOf(node)
      const server = Context.get(context, Server.Server)
      const { address } = yield* server.listen(() => createServer(), { host, port: 0 })
      assert.deepInclude(address, { hostname: host })
      yield* server.shutdown
      assert.include(
        log.find(/^Shutting down/)?.annotations["listeners"] as ReadonlyArray<string>,
        `${written}:${port}`
      )
    }).pipe(Effect.provide(log.layer))
  })

  it.scoped("has the address that stock has", () =>
    Effect.gen(function*() {
      const [ours, theirs] = [createServer(), createServer()]
      const server = Context.get(
        yield* Layer.build(NodeHttpServer.layer(() => ours, { host, port: 0 })),
        HttpServer.HttpServer
      )
      const stock = yield* Stock.make(() => theirs, { host, port: 0 })
      assert.strictEqual(text(ours, server.address), text(theirs, stock.address))
    }))
}

describe("a server that listens on 0.0.0.0", listeningOn("0.0.0.0", "0.0.0.0"))
describeUnless(noIpv6, "with IPv6", () => {
  describe("a server that listens on ::", listeningOn("::", "[::]"))
  describe("a server that listens on ::1", listeningOn("::1", "[::1]"))
})
