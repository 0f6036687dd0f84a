import { fastify } from "fastify"
import Dns from "node:dns"
import { afterEach, expect, it, vi } from "vitest"
import { quiesce, type Server } from "../../../src/promise.js"
import { connect, responseOf, withClient } from "../../support/rawClient.js"
import { deferred, waitFor } from "../../support/wait.js"

// Pins internal/node: bindingsPush, serverBindingsOf

const limit = 10_000

afterEach(() => vi.restoreAllMocks())

const get = "GET /slow HTTP/1.1\r\nHost: test\r\n\r\n"

/** A fastify app that answers when it is told to, and keeps a diary. */
const slow = () => {
  const diary: Array<string> = []
  const released = deferred()
  const app = fastify()
  app.get("/slow", async () => {
    diary.push("request")
    await released.promise
    diary.push("answer")
    return "whole"
  })
  app.addHook("onClose", async () => {
    await new Promise((resolve) => setTimeout(resolve, 50))
    diary.push("onClose")
  })
  const portOf = () => {
    const address = app.server.address()
    return typeof address === "object" && address !== null ? address.port : 0
  }
  return { app, diary, portOf, release: () => released.resolve() }
}

/** Stops it while a request is served, which gets its whole response; only then is it closed. */
const stoppedBy = (stop: (app: ReturnType<typeof fastify>, server: Server) => PromiseLike<unknown>) => async () => {
  const { app, diary, portOf, release } = slow()
  const server = quiesce(app, { logger: false, finally: () => void diary.push("finally") })
  await app.listen({ host: "127.0.0.1", port: 0 })
  await withClient({ port: portOf() }, async (client) => {
    await client.write(get)
    await waitFor("the request", () => diary.length === 1, limit)
    const stopped = Promise.resolve(stop(app, server))
    await waitFor("the drain", () => server.phase() === "Draining", limit)
    release()
    expect(await responseOf(client)).toMatchObject({ status: 200, complete: true })
    await waitFor("the end of what has stopped it", stopped, limit)
    expect(await server.closed).toMatchObject({ outcome: "Drained", served: 1 })
  })
  expect(diary).toEqual(["request", "answer", "onClose", "finally"])
}

it(
  "the onClose hooks run when everything has been answered, and before `finally`",
  stoppedBy((_, server) => server.shutdown())
)

it("its own close drains too, and its hooks run once", stoppedBy((app) => app.close()))

it("the second server that it makes where localhost has two addresses is drained as well", async () => {
  const lookup = Dns.lookup
  const both = [{ address: "127.0.0.1", family: 4 }, { address: "127.0.0.2", family: 4 }]
  vi.spyOn(Dns, "lookup").mockImplementation(
    ((host: string, options: object, callback: () => void) =>
      "all" in options && host === "localhost"
        ? process.nextTick(callback, null, both)
        : lookup(host, options, callback)) as typeof lookup
  )
  const { app, diary, portOf, release } = slow()
  const server = quiesce(app, { logger: false })
  await app.listen({ port: 0 })
  expect(app.addresses().map((bound) => typeof bound === "object" ? bound.address : bound).sort()).toEqual([
    "127.0.0.1",
    "127.0.0.2"
  ])
  const client = await connect({ host: "127.0.0.2", port: portOf() })
  await client.write(get)
  await waitFor("the request", () => diary.length === 1, limit)
  expect(server.connections()).toMatchObject([{ state: "Active" }])
  const stopped = server.shutdown()
  await waitFor("the drain", () => server.phase() === "Draining", limit)
  release()
  expect(await responseOf(client)).toMatchObject({ status: 200, complete: true, headers: { connection: "close" } })
  expect(await stopped).toMatchObject({ outcome: "Drained", served: 1 })
  client.leave()
  expect(diary).toEqual(["request", "answer", "onClose"])
})
