import * as Fs from "node:fs"
import * as Http from "node:http"
import * as Net from "node:net"
import * as Os from "node:os"
import * as Path from "node:path"
import { expect, it } from "vitest"
import { quiesce, type Server } from "../../../src/promise.js"
import { describeWith } from "../../support/describeWith.js"
import { haproxy, start } from "../../support/program.js"
import { deferred, now, pace, waitFor } from "../../support/wait.js"
import { freePorts } from "./proxy.js"

// HAProxy with examples/deploy/haproxy-agent.cfg, which is told of a drain.

const limit = 15_000

interface Ports {
  readonly app: number
  readonly admin: number
  readonly agent: number
}

interface Instance {
  readonly server: Server
  /** How many requests it has begun to answer. */
  readonly asked: () => number
  /** What it holds of `/hold` is answered. */
  readonly release: () => void
}

const instance = async (name: string, { admin, agent, app }: Ports): Promise<Instance> => {
  let asked = 0
  const released = deferred()
  const node = Http.createServer((request, response) => {
    asked++
    if (request.url === "/hold") void released.promise.then(() => response.end(name))
    else response.end(name)
  })
  const server = quiesce(node.listen(app, "127.0.0.1"), { admin, agentCheck: agent, lameDuck: "1 hour", logger: false })
  await Promise.all([server.admin, server.agentCheck])
  return { server, asked: () => asked, release: () => released.resolve() }
}

const configOf = (listen: number, a: Ports, b: Ports, socket: string): string => {
  let text = Fs.readFileSync(new URL("../../../examples/deploy/haproxy-agent.cfg", import.meta.url), "utf8")
  const replacements: ReadonlyArray<readonly [string, string]> = [
    ["bind :80", `bind 127.0.0.1:${listen}`],
    ["    maxconn 4096", `    maxconn 4096\n    stats socket ${socket} level admin`],
    ["agent-inter 1s", "agent-inter 200ms"],
    [
      "127.0.0.1:3001 cookie a port 9001 agent-port 9101",
      `127.0.0.1:${a.app} cookie a port ${a.admin} agent-port ${a.agent}`
    ],
    [
      "127.0.0.1:3002 cookie b port 9002 agent-port 9102",
      `127.0.0.1:${b.app} cookie b port ${b.admin} agent-port ${b.agent}`
    ]
  ]
  for (const [from, to] of replacements) {
    if (!text.includes(from)) throw new Error(`haproxy-agent.cfg does not say ${JSON.stringify(from)}`)
    text = text.replace(from, () => to)
  }
  return text
}

/** What HAProxy answers to a command on its stats socket. */
const command = (socket: string, line: string): Promise<string> =>
  new Promise((resolve, reject) => {
    let text = ""
    const client = Net.connect(socket).setEncoding("utf8")
    client.on("data", (more: string) => void (text += more)).once("end", () => resolve(text)).once("error", reject)
    client.write(`${line}\n`)
  })

/** Its file is there before HAProxy listens at it. */
const untilAnswered = async (socket: string, seen: () => string): Promise<void> => {
  for (const until = now() + limit;;) {
    try {
      return void await command(socket, "show info")
    } catch (cause) {
      if (now() > until) throw new Error(`the stats socket does not answer: ${seen()}`, { cause })
    }
    await pace(20)
  }
}

/** What HAProxy thinks of a server, such as `UP`, `DRAIN`, `DOWN (agent)`. */
const statusOf = async (socket: string, name: string): Promise<string> => {
  const [head = "", ...rows] = (await command(socket, "show stat")).split("\n")
  const fields = head.replace(/^# /, "").split(",")
  const row = rows.map((line) => line.split(",")).find((row) => row[0] === "app" && row[1] === name)
  return row?.[fields.indexOf("status")] ?? ""
}

const get = (port: number, path = "/", cookie?: string): Promise<string> =>
  new Promise((resolve, reject) => {
    const headers = cookie === undefined ? {} : { cookie: `INSTANCE=${cookie}` }
    Http.get({ agent: false, headers, host: "127.0.0.1", path, port }, (response) => {
      let body = ""
      response.setEncoding("utf8").on("data", (text: string) => void (body += text))
      response.once("end", () => resolve(`${response.statusCode} ${body}`))
    }).once("error", reject)
  })

describeWith(haproxy, () => {
  it("is told of a lame duck, sends no new client, and those that are bound to it until its listener closes", async () => {
    const [listen = 0, ...free] = await freePorts(7)
    const [a, b] = [0, 3].map((first): Ports => {
      const [app = 0, admin = 0, agent = 0] = free.slice(first, first + 3)
      return { app, admin, agent }
    }) as [Ports, Ports]
    const folder = Fs.mkdtempSync(Path.join(Os.tmpdir(), "quiesce-agent-"))
    const socket = Path.join(folder, "stats.sock")
    const file = Path.join(folder, "haproxy.cfg")
    Fs.writeFileSync(file, configOf(listen, a, b, socket))
    const [one, two] = [await instance("a", a), await instance("b", b)]
    const others: Array<Instance> = []
    const proxy = start(haproxy, ["-db", "-f", file])
    const becomes = async (name: string, status: string) => {
      for (const until = now() + limit;;) {
        const last = await statusOf(socket, name)
        if (last === status) return
        if (now() > until) throw new Error(`${name} is ${last}, and not ${status}: ${proxy.output()}`)
        await pace(20)
      }
    }
    try {
      await untilAnswered(socket, proxy.output)
      await becomes("a", "UP")
      await becomes("b", "UP")
      const first = await Promise.all(Array.from({ length: 10 }, () => get(listen)))
      expect(new Set(first)).toEqual(new Set(["200 a", "200 b"]))

      one.server.check("database", () => false, { cache: 0 })
      await becomes("a", "DOWN (agent)")
      expect(await get(listen)).toBe("200 b")
      // what it has taken in before goes on
      const held = get(listen, "/hold", "b")
      await waitFor("the request", () => two.server.connections().some(({ state }) => state === "Active"), limit)

      void two.server.shutdown()
      await becomes("b", "DRAIN (agent)")
      // one that drains is the last that there is
      expect(await get(listen)).toMatch(/^503 /)

      others.push(await restarted("a", a, one))
      await becomes("a", "UP")
      const before = two.asked()
      const fresh = await Promise.all(Array.from({ length: 50 }, () => get(listen)))
      expect(new Set(fresh)).toEqual(new Set(["200 a"]))
      expect(two.asked()).toBe(before)
      const bound = await Promise.all(Array.from({ length: 10 }, () => get(listen, "/", "b")))
      expect(new Set(bound)).toEqual(new Set(["200 b"]))
      two.release()
      expect(await held).toBe("200 b")

      others.push(await restarted("b", b, two))
      await becomes("b", "UP")
      expect(await get(listen, "/", "b")).toBe("200 b")

      await command(socket, "set server app/b state maint")
      // it says "ready", which takes that back
      await becomes("b", "UP")
      await command(socket, "disable agent app/b; set server app/b state maint")
      await becomes("b", "MAINT")
      expect(await get(listen, "/", "b")).toBe("200 a")
    } finally {
      proxy.child.kill("SIGTERM")
      await proxy.ran(limit)
      for (const { release } of [one, two, ...others]) release()
      await Promise.all([one, two, ...others].map(({ server }) => server.close()))
      Fs.rmSync(folder, { recursive: true })
    }
  })
}, { timeout: 60_000 })

const restarted = async (name: string, ports: Ports, old: Instance): Promise<Instance> => {
  old.release()
  await old.server.close()
  return instance(name, ports)
}
