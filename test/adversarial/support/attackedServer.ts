/**
 * A server with honest clients on it, for an attacker to join; and what must hold whatever the attacker does.
 */
import * as HttpServer from "@effect/platform/HttpServer"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import * as Http from "node:http"
import * as Http2 from "node:http2"
import * as Https from "node:https"
import * as Net from "node:net"
import { expect } from "vitest"
import { type Connection, type Listener, NodeHttpServer, Server, type Shutdown } from "../../../src/index.js"
import { certificate } from "../../support/certificate.js"
import type { HttpApp } from "../../support/effect/apps.js"
import { snapshot, untilNoGrowth } from "../../support/leaks.js"
import { createServer, type Handler, type Wire } from "../../support/nodeServer.js"
import { silent } from "../../support/running.js"
import { deferred, waitFor } from "../../support/wait.js"
import { type BoundedShutdown, boundedShutdown, type Ended, limit } from "./boundedShutdown.js"

/** Short, so that what an attacker may hold up is told from what it may not. */
export const policy = {
  timeout: 3000,
  killTimeout: 500,
  newConnectionGrace: 600,
  idleGrace: 100
} as const satisfies Shutdown.Policy

/** A handler, and what became of the requests that reached it. */
export interface Work {
  readonly handler: Handler
  readonly executed: number
  /** Its answer has left in full. */
  readonly answered: number
  /** Its client left, or it was cut. */
  readonly aborted: number
  /** Of the requests that wait for `release`: how many have begun. */
  readonly waiting: number
  readonly release: () => void
  readonly released: Promise<void>
}

/** `/`: an answer. `/slow`: half an answer, and the rest when it is released. `/big`: 4 MiB. `/huge`: more than the kernel takes. `/never`: nothing. */
export const makeWork = (): Work => {
  const released = deferred()
  let executed = 0
  let answered = 0
  let aborted = 0
  let waiting = 0
  return {
    get executed() {
      return executed
    },
    get answered() {
      return answered
    },
    get aborted() {
      return aborted
    },
    get waiting() {
      return waiting
    },
    release: released.resolve,
    released: released.promise,
    handler: (request, response) => {
      executed++
      let finished = false
      response.once("finish", () => {
        finished = true
        answered++
      })
      response.once("close", () => {
        if (!finished) aborted++
      })
      switch (request.url) {
        case "/slow":
          waiting++
          response.writeHead(200)
          response.write("first ")
          void released.promise.then(() => response.end("last"))
          break
        case "/big":
          response.end(big)
          break
        case "/huge":
          response.end(huge)
          break
        case "/never":
          waiting++
          response.writeHead(200)
          response.write("x")
          break
        case "/silent":
          break
        default:
          response.end("ok")
      }
    }
  }
}

export const big = Buffer.alloc(4 * 1024 * 1024, "quiesce ")
const huge = Buffer.alloc(16 * 1024 * 1024, "quiesce ")

export interface AttackedServer extends BoundedShutdown {
  readonly port: number
  readonly node: Listener.NodeServer
  readonly server: Server.ServerService
  readonly work: Work
  /** Waits until what the server knows of its connections is so. */
  readonly untilSeen: (
    label: string,
    predicate: (all: ReadonlyArray<Connection.Connection>) => boolean
  ) => Promise<void>
  /** A client that has half an answer: what it has in the end is whole. */
  readonly honest: () => Promise<HonestAnswer>
  /** Shuts down, and releases the work while the server drains: the honest client's answer is whole. */
  readonly drain: (honest: HonestAnswer) => Promise<Ended>
}

export interface HonestAnswer {
  /** The whole response. */
  readonly answer: Promise<string>
}

export interface Options {
  readonly policy?: Shutdown.Policy
  readonly work?: Work
  readonly node?: Listener.NodeServer
  /** Adopt the server, instead of listening with it. */
  readonly adopted?: boolean
  /** Answers instead of the work; it has to answer `/slow` as that does. */
  readonly app?: HttpApp
}

/**
 * Runs `use` with a server and whatever clients it makes; afterwards the server has been shut down within its bound, and
 * nothing is open that was not open before.
 */
export const withAttackedServer = async (
  wire: Wire,
  use: (attacked: AttackedServer, onLeave: (leave: () => void) => void) => Promise<void>,
  options: Options = {}
): Promise<void> =>
  leavingNothing(async () => {
    const limits = { ...policy, ...options.policy }
    const work = options.work ?? makeWork()
    const node = options.node ?? createServer(wire, options.app === undefined ? work.handler : undefined)
    const leaves: Array<() => void> = []
    const scope = Effect.runSync(Scope.make())
    const run = <A, E>(effect: Effect.Effect<A, E>) => Effect.runPromise(Effect.provide(effect, silent))
    try {
      const onLoopback = { host: "127.0.0.1", port: 0 }
      const server = options.app === undefined
        ? await run(Scope.extend(Server.make(limits), scope))
        : Context.get(
          await run(Layer.buildWithScope(
            HttpServer.serve(options.app).pipe(
              Layer.provideMerge(NodeHttpServer.layer(() => node as Http.Server, { ...onLoopback, ...limits }))
            ),
            scope
          )),
          Server.Server
        )
      if (options.app !== undefined) {
        expect(node.listening).toBe(true)
      } else if (options.adopted === true) {
        await new Promise<void>((resolve) => node.listen(onLoopback, resolve))
        await run(Scope.extend(server.adopt(node), scope))
      } else {
        await run(Scope.extend(server.listen(() => node, onLoopback), scope))
      }
      const { port } = node.address() as Net.AddressInfo
      const stopping = boundedShutdown(server, limits)
      const { connections, shutdown, untilPhase } = stopping
      await use({
        port,
        node,
        server,
        work,
        ...stopping,
        untilSeen: async (label, predicate) => {
          await waitFor(
            () => `${label}, but there is ${JSON.stringify(connections())}`,
            () => predicate(connections()),
            limit
          )
        },
        honest: () => honest(wire, port, (leave) => leaves.push(leave)),
        drain: async ({ answer }) => {
          const ended = shutdown()
          await untilPhase("Draining")
          work.release()
          expect(await answer).toBe("first last")
          return ended
        }
      }, (leave) => leaves.push(leave))
      const { report } = await shutdown()
      expect(connections()).toEqual([])
      const { cut, idleClosed, completed, accepted, open } = report.connections
      expect(completed + idleClosed + cut).toBe(open + accepted)
      if (report.outcome !== "Closed") {
        expect(report.outcome).toBe(report.cut.length > 0 ? "DeadlineExceeded" : "Drained")
      }
      expect(work.executed).toBe(work.answered + work.aborted)
    } finally {
      for (const leave of leaves) leave()
      await Effect.runPromiseExit(Effect.provide(Scope.close(scope, Exit.void), silent))
    }
  })

/** Runs `use`, and then waits until the process holds no more than before. */
export const leavingNothing = async <A>(use: () => Promise<A>): Promise<A> => {
  // Node makes it when it is first looked at
  void process.stdin.fd
  const before = snapshot()
  const result = await use()
  await untilNoGrowth(before, limit)
  return result
}

const honest = async (wire: Wire, port: number, onLeave: (leave: () => void) => void): Promise<HonestAnswer> => {
  const begun = deferred()
  const answer = wire === "h2c" || wire === "h2"
    ? overHttp2(wire, port, begun.resolve, onLeave)
    : overHttp1(wire, port, begun.resolve, onLeave)
  // a test that has failed does not look at it
  answer.catch(() => {})
  await waitFor("the first half of an honest client's answer", Promise.race([begun.promise, answer]), limit)
  return { answer: waitFor("an honest client's answer", answer, 2 * limit) }
}

/** Asks for `/slow`, says when its answer has begun, and returns all of it. */
type Asks = (wire: Wire, port: number, begun: () => void, onLeave: (leave: () => void) => void) => Promise<string>

const overHttp1: Asks = (wire, port, begun, onLeave) =>
  new Promise((resolve, reject) => {
    const module = wire === "https" ? Https : Http
    const agent = new module.Agent({ keepAlive: true })
    onLeave(() => agent.destroy())
    module.get({ host: "127.0.0.1", port, path: "/slow", agent, ca: certificate.cert }, (response) => {
      let text = ""
      response.setEncoding("utf8").on("data", (piece: string) => {
        text += piece
        begun()
      })
      response.on("end", () => {
        agent.destroy()
        resolve(text)
      }).on("error", reject)
    }).on("error", reject)
  })

const overHttp2: Asks = (wire, port, begun, onLeave) =>
  new Promise((resolve, reject) => {
    const session = wire === "h2"
      ? Http2.connect(`https://127.0.0.1:${port}`, { ca: certificate.cert })
      : Http2.connect(`http://127.0.0.1:${port}`)
    onLeave(() => session.destroy())
    session.on("error", reject)
    const stream = session.request({ ":path": "/slow" })
    let text = ""
    stream.setEncoding("utf8").on("data", (piece: string) => {
      text += piece
      begun()
    })
    stream.on("end", () => {
      session.close()
      resolve(text)
    }).on("error", reject)
    stream.on("close", () => reject(new Error(`the stream was reset: ${stream.rstCode}`)))
  })
