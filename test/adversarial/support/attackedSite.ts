/**
 * A server in this process, of either kind, with honest clients on it; and what holds whatever an attacker does.
 */
import * as HttpServer from "@effect/platform/HttpServer"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import * as Http from "node:http"
import { expect } from "vitest"
import { NodeHttpServer, Server, type Shutdown } from "../../../src/index.js"
import { portOf } from "../../support/nodeServer.js"
import * as Raw from "../../support/rawClient.js"
import { silent } from "../../support/running.js"
import { leavingNothing } from "./attackedServer.js"
import { type BoundedShutdown, boundedShutdown, limit } from "./boundedShutdown.js"
import { type HonestClients, startHonestClients } from "./honestClients.js"
import { recordProcessErrors } from "./processErrors.js"
import { type Kind, makeSite, type Site } from "./site.js"

export const policy = {
  timeout: 3000,
  killTimeout: 500,
  newConnectionGrace: 600,
  idleGrace: 300
} as const satisfies Shutdown.Policy

export interface AttackedSite extends BoundedShutdown {
  readonly target: { readonly port: number }
  readonly server: Server.ServerService
  readonly site: Site
  readonly honest: HonestClients
  /** A client that writes what it is told, and is gone when the test is over. */
  readonly attacker: (options?: Raw.Options) => Promise<Raw.RawClient>
}

export interface Options {
  readonly policy?: Shutdown.Policy
  readonly node?: Http.ServerOptions
  readonly honest?: number
}

/**
 * Runs `use`; afterwards the server has been shut down within its bound, every honest client has been answered to the
 * last byte, the process has complained of nothing, and holds no more than before.
 */
export const withAttackedSite = (
  kind: Kind,
  use: (attacked: AttackedSite) => Promise<void>,
  options: Options = {}
): Promise<void> =>
  leavingNothing(async () => {
    const { processErrors, stop } = recordProcessErrors()
    const limits = { ...policy, ...options.policy }
    const site = makeSite()
    const node = Http.createServer(options.node ?? {})
    const scope = Effect.runSync(Scope.make())
    const run = <A, E>(effect: Effect.Effect<A, E>) => Effect.runPromise(Effect.provide(effect, silent))
    const attackers: Array<Raw.RawClient> = []
    let honest: HonestClients | undefined
    try {
      const server = await run(start(kind, site, node, limits, scope))
      const target = { port: portOf(node) }
      const well = honest = startHonestClients(target, { clients: options.honest ?? 3 })
      const stopping = boundedShutdown(server, limits, well.closing)
      const { connections, shutdown } = stopping
      await well.served(1, limit)
      await use({
        target,
        server,
        site,
        honest: well,
        ...stopping,
        attacker: async (options) => {
          const raw = await Raw.connect(target, options)
          attackers.push(raw)
          return raw
        }
      })
      const { report } = await shutdown()
      await well.stop(limit)
      expect(well.wronged).toEqual([])
      expect(connections()).toEqual([])
      const { accepted, cut, idleClosed, completed, open } = report.connections
      expect(completed + idleClosed + cut).toBe(open + accepted)
      expect(report.outcome).toBe(report.cut.length > 0 ? "DeadlineExceeded" : "Drained")
      expect(processErrors).toEqual([])
    } finally {
      stop()
      site.release()
      for (const raw of attackers) raw.leave()
      await honest?.stop(limit).catch(() => {})
      await Effect.runPromiseExit(Effect.provide(Scope.close(scope, Exit.void), silent))
    }
  })

const onLoopback = { host: "127.0.0.1", port: 0 }

const start = (
  kind: Kind,
  site: Site,
  node: Http.Server,
  policy: Shutdown.Policy,
  scope: Scope.Scope
): Effect.Effect<Server.ServerService, unknown> =>
  Effect.gen(function*() {
    if (kind === "an Effect app") {
      const layer = HttpServer.serve(site.app).pipe(
        Layer.provideMerge(NodeHttpServer.layer(() => node, { ...onLoopback, ...policy }))
      )
      return Context.get(yield* Layer.buildWithScope(layer, scope), Server.Server)
    }
    node.on("request", site.listener)
    yield* Effect.promise(() => new Promise<void>((resolve) => node.listen(onLoopback, resolve)))
    return yield* Scope.extend(Server.adopt(node, policy), scope)
  })
