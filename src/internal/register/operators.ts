/**
 * What operators may ask the process: its admin listener, and HAProxy's agent check. They answer from the first server on
 * and to the end of the process, keep nothing alive, and are drained by nobody.
 */
import * as Effect from "effect/Effect"
import Cluster from "node:cluster"
import type * as Net from "node:net"
import { agentLine, agentServer } from "../health/agentCheck.js"
import { probesOf } from "../health/health.js"
import * as Line from "../log/line.js"
import type { PlainService } from "../model/server.js"
import { adminServer, withoutHold } from "../promise/adminListener.js"
import { administer, sampling } from "../promise/healthAndMetrics.js"
import type { Run } from "../promise/nodePages.js"
import { viewOf } from "../telemetry/telemetry.js"
import type { AllServers } from "./allServers.js"
import type { AdminSettings, Settings, Where } from "./settings.js"

interface Listens {
  readonly listener: "admin listener" | "agent check"
  /** The name of its settings, without what comes at the end. */
  readonly setting: string
  readonly node: Net.Server
  readonly where: Where
}

export class Operators {
  readonly #all: AllServers
  readonly #run: Run
  readonly #say: (line: Effect.Effect<void>) => void
  readonly #ended = Effect.unsafeMakeLatch(false)

  constructor(all: AllServers, run: Run, say: (line: Effect.Effect<void>) => void) {
    this.#all = all
    this.#run = run
    this.#say = say
  }

  listen({ admin, agentCheck }: Settings): void {
    if (admin !== undefined) this.#listen(this.#admin(admin))
    if (agentCheck !== undefined) this.#listen(this.#agentCheck(agentCheck))
  }

  /** The process is about to end: whoever watches the page is told. */
  end(): void {
    this.#ended.unsafeOpen()
  }

  #admin({ allowedHosts, where, ...shown }: AdminSettings): Listens {
    const answer = administer(shown, {
      administered: this.#all,
      ended: this.#ended.await,
      health: this.#health(),
      run: this.#run,
      sample: this.#sample()
    })
    const own = "path" in where ? [] : [where.host]
    const node = adminServer(allowedHosts === "all" ? "all" : [...own, ...allowedHosts], answer)
    return { listener: "admin listener", setting: "SHUTDOWN_ADMIN", node, where }
  }

  #agentCheck(where: Where): Listens {
    const health = this.#health()
    const node = withoutHold(agentServer(() => this.#run(agentLine(this.#all, health))))
    return { listener: "agent check", setting: "SHUTDOWN_AGENT_CHECK", node, where }
  }

  /** A program has no checks of its own here: it is ready while it serves. */
  #health() {
    return probesOf(Effect.map(this.#all.phase, (phase) => phase !== "Serving"))
  }

  /** Metrics are read off each server when somebody asks for them. */
  #sample(): Effect.Effect<void> {
    const samples = new WeakMap<PlainService, Effect.Effect<void>>()
    const sampleOf = (server: PlainService): Effect.Effect<void> => {
      const view = viewOf(server)
      const sample = samples.get(server) ?? (view === undefined ? Effect.void : sampling(view))
      samples.set(server, sample)
      return sample
    }
    return Effect.suspend(() => Effect.forEach(this.#all.servers(), sampleOf, { discard: true }))
  }

  #listen({ listener, node, setting, where }: Listens): void {
    const place = ownPlace(where)
    const at = printed(place)
    const data = { event: "AdminNotListening", listener, address: at }
    if (isShared(where)) {
      const path = setting === "SHUTDOWN_ADMIN"
        ? `, or ${setting}_PATH to a path with %p in it, which stands for the id of the process`
        : ""
      return this.#say(
        Line.info(
          `No ${listener} on ${at}: the workers of a cluster would share it, and one of them would answer. Set `
            + `${setting}_PORT=0, for a port of its own${path}`,
          data
        )
      )
    }
    const failed = (error: NodeJS.ErrnoException) =>
      this.#say(
        Line.error(
          `No ${listener}: it cannot listen on ${at}${
            error.code === "EADDRINUSE" ? ", which is in use by another process or server" : ""
          }. The program goes on without it. Set ${setting}_${
            "path" in where ? "PATH" : "PORT"
          } to one that is free, or `
            + "leave it out",
          data,
          error
        )
      )
    node.once("error", failed)
    // a worker of a cluster would share what it listens on with the others
    node.listen({ ...place, exclusive: true }, () => {
      node.off("error", failed)
      node.on(
        "error",
        (error) =>
          this.#say(
            Line.warning(`The system could not accept a connection to the ${listener}; the program goes on`, {}, error)
          )
      )
      // the file of a socket goes with it
      if ("path" in place) process.once("exit", () => void node.close())
      const address = printed(placeOf(node) ?? place)
      this.#say(Line.info(`The ${listener} listens on ${address}`, { event: "AdminListening", listener, address }))
    })
  }
}

const processId = /%p/g

const ownPlace = (where: Where): Where =>
  "path" in where ? { path: where.path.replaceAll(processId, String(process.pid)) } : where

/** Whether each worker of a cluster would listen there. */
const isShared = (where: Where): boolean =>
  Cluster.isWorker && ("path" in where ? where.path.search(processId) < 0 : where.port !== 0)

const placeOf = (node: Net.Server): Where | undefined => {
  const address = node.address()
  if (address === null) return undefined
  return typeof address === "string" ? { path: address } : { host: address.address, port: address.port }
}

const printed = (where: Where): string =>
  "path" in where ? where.path : `${where.host.includes(":") ? `[${where.host}]` : where.host}:${where.port}`
