import * as Http from "node:http"
import * as Net from "node:net"
import { afterEach, describe, expect, it } from "vitest"
import { startBusyClients } from "./busyClient.js"
import { withChild } from "./child.js"
import { delayProxy } from "./delayProxy.js"
import { parseResponses } from "./httpResponses.js"
import { growth, snapshot, untilNoGrowth } from "./leaks.js"
import { portOf } from "./nodeServer.js"
import { connect, withClient } from "./rawClient.js"
import { now, pace, waitFor } from "./wait.js"

// Every later test believes what these clients say: here they are lied to in each way they must notice.

const servers = new Set<Net.Server>()
afterEach(() => {
  for (const server of servers) server.close()
  servers.clear()
})

const listen = async (server: Net.Server): Promise<{ readonly port: number }> => {
  servers.add(server)
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  return { port: portOf(server) }
}

const ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

describe("waitFor", () => {
  it("says what was waited for, and what was seen instead", async () => {
    let seen = 0
    await expect(waitFor(() => `five (saw ${seen})`, () => ++seen > 1_000_000, 20))
      .rejects.toThrow(/waited 20 ms for five \(saw \d+\)/)
    await expect(waitFor("an answer", new Promise(() => {}), 5)).rejects.toThrow("waited 5 ms for an answer")
  })

  it("passes on what the predicate returned, and what it threw", async () => {
    expect(await waitFor("a value", () => "value", 10)).toBe("value")
    await expect(waitFor("a value", () => {
      throw new Error("broken")
    }, 10)).rejects.toThrow("broken")
  })
})

describe("parseResponses", () => {
  it("finds pipelined responses of every framing, and says which is whole", () => {
    const chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
    const bytes = Buffer.from(`HTTP/1.1 100 Continue\r\n\r\n${ok}${chunked}HTTP/1.1 204 No Content\r\n\r\n${ok}`)
    const whole = parseResponses(bytes)
    expect(whole.informational.map((response) => response.status)).toEqual([100])
    expect(whole.responses.map((response) => [response.status, response.body.toString(), response.complete])).toEqual([
      [200, "ok", true],
      [200, "abcde", true],
      [204, "", true],
      [200, "ok", true]
    ])
    expect(whole.consumed).toBe(bytes.length)
    for (let cut = bytes.length - 1; cut > bytes.length - 20; cut--) {
      expect(parseResponses(bytes.subarray(0, cut)).responses.filter((response) => response.complete)).toHaveLength(3)
    }
  })

  it("never calls half a body whole", () => {
    const half = (text: string, ended = false) => parseResponses(Buffer.from(text), { ended }).responses[0]!
    expect(half("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nab", true).complete).toBe(false)
    expect(half("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n", true).complete).toBe(false)
    expect(half("HTTP/1.1 200 OK\r\n\r\nab").complete).toBe(false)
    expect(half("HTTP/1.1 200 OK\r\n\r\nab", true).complete).toBe(true)
  })
})

describe("the raw client", () => {
  it("tells a FIN from a reset, and both from a refusal and from silence", async () => {
    const ends: Record<string, (socket: Net.Socket) => void> = {
      fin: (socket) => socket.end(ok),
      reset: (socket) => socket.resetAndDestroy(),
      open: (socket) => socket.write(ok)
    }
    for (const [ending, end] of Object.entries(ends)) {
      const target = await listen(Net.createServer((socket) => void socket.once("data", () => end(socket))))
      await withClient(target, async (client) => {
        await client.write("GET / HTTP/1.1\r\n\r\n")
        if (ending === "open") await client.untilResponses(1, 1000)
        else await client.untilEnded(1000)
        expect(client.ending).toBe(ending)
        expect(client.parsed().responses.length).toBe(ending === "reset" ? 0 : 1)
      })
    }
    const server = Net.createServer()
    const target = await listen(server)
    await new Promise((resolve) => server.close(resolve))
    expect((await connect(target)).ending).toBe("refused")
  })

  it("reads slowly when told to, so that the server has to wait", async () => {
    const size = 16 * 1024 * 1024
    const target = await listen(Net.createServer((socket) => void socket.on("error", () => {}).end(Buffer.alloc(size))))
    await withClient(target, async (client) => {
      await client.untilEnded(10_000)
      expect(client.bytes).toBe(size)
      expect(client.endedAt! - client.connectedAt!).toBeGreaterThan(750)
    }, { bytesPerSecond: 20 * 1024 * 1024 })
  })

  it("reads nothing while paused", async () => {
    const target = await listen(Net.createServer((socket) => void socket.on("error", () => {}).write(ok)))
    await withClient(target, async (client) => {
      await pace(30)
      expect(client.bytes).toBe(0)
      client.resume()
      await client.untilResponses(1, 1000)
    }, { paused: true })
  })
})

describe("busy clients", () => {
  it("count a reset on an established connection, and not a connection closed with its answer", async () => {
    let n = 0
    const target = await listen(Net.createServer((socket) =>
      void socket.on("error", () => {}).on("data", () => {
        n++
        if (n === 10) socket.resetAndDestroy()
        else if (n === 20) socket.end("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok")
        else if (n === 30) socket.end("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\no")
        else socket.write(ok)
      })
    ))
    const clients = startBusyClients(target, { clients: 1, method: "POST" })
    await waitFor("forty requests", () => clients.tally.sent >= 40, 5000)
    const tally = await clients.stop(1000)
    expect(tally).toMatchObject({ lostEstablished: 2, lostOpening: 0, toldToClose: 1, unanswered: 0, refused: 0 })
    expect(tally.lost.map((lost) => lost.how)).toEqual(["reset", "fin"])
    expect(tally.answered).toBe(tally.sent - 2)
    expect(tally.answeredIds.size).toBe(tally.answered)
  })

  it("count what a server never answers, and what was lost before the first answer", async () => {
    let connections = 0
    const target = await listen(Net.createServer((socket) => {
      socket.on("error", () => {})
      if (++connections === 1) socket.once("data", () => socket.resetAndDestroy())
    }))
    const clients = startBusyClients(target, { clients: 1 })
    await waitFor("a second connection", () => clients.tally.connections === 2, 1000)
    expect(await clients.stop(20)).toMatchObject({ lostEstablished: 0, lostOpening: 1, unanswered: 1, answered: 0 })
  })

  it("open a connection for each request when asked to", async () => {
    const target = await listen(Http.createServer((_, response) => response.end("ok")))
    const clients = startBusyClients(target, { clients: 4, connections: "perRequest" })
    await waitFor("a hundred answers", () => clients.tally.answered >= 100, 5000)
    const tally = await clients.stop(1000)
    expect(tally.connections).toBe(tally.sent)
    expect(tally.answered).toBe(tally.sent)
  })

  it("honour the server's keep-alive promise, with a margin", async () => {
    const server = Http.createServer({ keepAliveTimeout: 1000 }, (_, response) => response.end("ok"))
    const target = await listen(server)
    const pauses = [100, 950, 100]
    const clients = startBusyClients(target, {
      clients: 1,
      promiseMarginMs: 200,
      thinkMs: () => pauses.shift() ?? 10_000
    })
    await waitFor("four answers", () => clients.tally.answered === 4, 5000)
    expect(clients.tally).toMatchObject({ connections: 2, lostEstablished: 0 })
    server.closeAllConnections()
  })
})

describe("the delay proxy", () => {
  it("delays both ways, keeps a reset a reset, and knows whom the server refused", async () => {
    const server = Net.createServer((socket) =>
      void socket.on("error", () => {}).on("data", (data) => {
        if (String(data) === "reset") socket.resetAndDestroy()
        else socket.write(ok)
      })
    )
    const proxy = await delayProxy(await listen(server), 20)
    await withClient(proxy.target, async (client) => {
      const sentAt = now()
      await client.write("anything")
      await client.untilResponses(1, 1000)
      expect(client.lastByteAt! - sentAt).toBeGreaterThanOrEqual(39)
      expect(proxy.refused.size).toBe(0)
      await client.write("reset")
      expect(await client.untilEnded(1000)).toBe("reset")
    })
    await new Promise((resolve) => server.close(resolve))
    await withClient(proxy.target, async (client) => {
      expect(await client.untilEnded(1000)).toBe("reset")
      expect(proxy.refused.has(client.socket.localPort ?? -1) || proxy.refused.size === 1).toBe(true)
    })
    await proxy.close()
  })
})

describe("a child", () => {
  it("is signalled by pid, its exit is timed, and it is never left behind", async () => {
    const fixture = new URL("./fixtures/stubborn.ts", import.meta.url)
    let pid = 0
    await withChild(fixture, [], async (child) => {
      pid = child.pid
      expect(await child.listening()).toEqual({ port: 1 })
      child.signal("SIGTERM")
      await child.line("ignored", 1000)
      expect(await child.exitWithin(50)).toBeUndefined()
      child.signal("SIGINT")
      const exit = await child.exit(1000)
      expect(exit).toMatchObject({ code: 3, signal: null })
      expect(exit.msSinceSignal).toBeGreaterThan(0)
      await expect(child.line("never", 1000)).rejects.toThrow(/ended before line 1 of "never"/)
    })
    await withChild(fixture, [], async (child) => {
      pid = child.pid
      await child.listening()
    })
    expect(() => process.kill(pid, 0)).toThrow("ESRCH")
  })
})

describe("leaks", () => {
  it("are seen: a socket, a timer, a signal listener", async () => {
    const before = snapshot()
    const listener = () => {}
    const timer = setTimeout(listener, 60_000)
    process.on("SIGTERM", listener)
    const server = Net.createServer()
    await listen(server)
    expect(growth(before, snapshot())).toMatchObject({ Timeout: 1, SIGTERM: 1, TCPServerWrap: 1 })
    await expect(untilNoGrowth(before, 20)).rejects.toThrow(/there is .*SIGTERM/)
    clearTimeout(timer)
    process.off("SIGTERM", listener)
    server.close()
    await untilNoGrowth(before, 1000)
  })
})
