/**
 * The listeners of a server: how each comes, and how it goes, by its scope, with its server, or by other code.
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { ConnectionRegistry } from "../core/connectionRegistry.js"
import type { App } from "../listener/app.js"
import * as ByHand from "../listener/byHand.js"
import { adopt, bind, type BoundListener } from "../listener/listener.js"
import { makeNodeServer, seemsToStart, whyNotAdopt, whyNotListen, wrongListenOption } from "../listener/listenErrors.js"
import { watchPassedOn } from "../listener/passedOn.js"
import { watcherOf } from "../listener/watcher.js"
import * as Line from "../log/line.js"
import { ServerClosed } from "../model/errors.js"
import { type Listener, ListenError, type NodeServer, type Options } from "../model/listener.js"
import type { ServerService } from "../model/server.js"
import { isHttp, isHttp2 } from "../node/httpServers.js"
import { nextMacrotask } from "../node/turn.js"
import { ofEffectApp, ofUpgradingApp } from "../node/upgrades.js"
import type { KeepAliveGrace } from "../telemetry/keepAliveGrace.js"
import type { Shutdown } from "./shutdown.js"

export interface Listeners extends Pick<ServerService, "adopt" | "listen"> {
  /** Listens, and answers with the app even where the Node server has listeners of its own. */
  readonly listenApp: ServerService["listen"]
  /** The server has closed: connections that other servers pass on are none of its own any more. */
  readonly stopWatching: () => void
}

interface Parts {
  readonly app: App | undefined
  readonly registry: ConnectionRegistry
  readonly listeners: Set<BoundListener>
  /** The scope of the server. */
  readonly scope: Scope.Scope
  readonly keepAliveGrace: KeepAliveGrace
  readonly shutdown: Shutdown
  readonly run: (effect: Effect.Effect<void>) => unknown
  readonly onAcceptFailed: (error: Error) => void
}

export const make = (parts: Parts): Listeners => {
  const { app, listeners, keepAliveGrace, registry } = parts
  const byHand = ByHand.make(listeners)
  const watcher = nodeWatcher(parts, byHand)
  const opened = openedBy(parts, byHand)

  const listenWith = (node: NodeServer, options: Options, alwaysApp: boolean) => {
    const unusable = whyNotListen(node, options)
    if (unusable !== undefined) return unusable
    const hasNoListeners = node.listenerCount("request") + node.listenerCount("stream") === 0
    const withApp = app !== undefined && isHttp(node) && (alwaysApp || hasNoListeners)
    // Node hands over a request to upgrade, and makes requests of streams, only where somebody listens for them
    if (withApp) node.on("upgrade", app.upgradesToAny ? ofUpgradingApp : ofEffectApp)
    if (withApp && isHttp2(node)) node.on("request", ignore)
    if (withApp && app.checkContinue !== undefined && node.listenerCount("checkContinue") === 0) {
      node.on("checkContinue", app.checkContinue)
    }
    return Effect.tap(bind(node, options, watcher(node, withApp)), (bound) => {
      byHand.listensWith(node, bound)
      return keepAliveGrace.check(node)
    })
  }
  const listen = (alwaysApp: boolean) => (evaluate: () => NodeServer, options: Options) =>
    opened(Effect.suspend(() => {
      const wrong = wrongListenOption(options)
      if (wrong !== undefined) return wrong
      const node = makeNodeServer(evaluate)
      if (node instanceof ListenError) return node
      return Effect.zipRight(
        // then it will listen in the next turn
        seemsToStart(node) ? nextMacrotask : Effect.void,
        Effect.suspend(() => listenWith(node, options, alwaysApp))
      )
    }))
  return {
    listen: listen(false),
    listenApp: listen(true),
    adopt: (node) =>
      opened(
        Effect.suspend(() =>
          whyNotAdopt(node) ?? Effect.tap(adopt(node, watcher(node, false)), () => keepAliveGrace.check(node))
        )
      ),
    stopWatching: watchPassedOn(registry, (node) => watcher(node, false))
  }
}

/** What is done about what the Node servers tell. */
const nodeWatcher = ({ app, onAcceptFailed, registry, run, shutdown }: Parts, byHand: ByHand.ByHand) =>
  watcherOf({
    app,
    registry,
    isStopping: () => registry.lifecycle.isStopping,
    nodeCloseCalled: (node, closeIdle) => {
      const alone = registry.lifecycle.isStopping ? undefined : byHand.alone(node)
      if (alone === undefined) return Effect.runSync(shutdown.startByHand)
      run(Effect.zipRight(
        alone,
        Effect.sync(() => {
          // as Node's own `close` does; a shutdown has rules of its own for them
          if (!registry.lifecycle.isStopping) closeIdle()
        })
      ))
    },
    cutAll: (requests) => {
      run(
        Line.warning(
          `closeAllConnections() of the Node server was called outside of a shutdown, and has cut ${requests} `
            + `request${requests === 1 ? "" : "s"} in flight: to stop the server, close it, or call shutdown`
        )
      )
    },
    acceptFailed: onAcceptFailed
  })

/** A listener is a scoped resource: it is of the server as long as its scope is open. */
const openedBy =
  ({ listeners, registry, scope: ownScope, shutdown }: Parts, byHand: ByHand.ByHand) =>
  (bound: Effect.Effect<BoundListener, ListenError>) =>
    Effect.acquireRelease(
      Effect.suspend(() =>
        registry.lifecycle.isStopping ? new ServerClosed({ operation: "listen" }) : Effect.flatMap(bound, (bound) => {
          if (registry.lifecycle.isStopping) {
            bound.closeNow()
            return new ServerClosed({ operation: "listen" })
          }
          listeners.add(bound)
          return Effect.succeed(bound)
        })
      ),
      (bound) =>
        Effect.flatMap(Effect.scope, (scope) =>
          // it closes with its server, and so the server's lame duck comes first
          scope === ownScope
            ? shutdown.finalize
            : Effect.zipRight(nextMacrotask, closeAlone(bound, listeners, registry)))
    ).pipe(Effect.map((bound): Listener => ({
      get address() {
        return bound.address
      },
      close: Effect.suspend(() => {
        byHand.ending(bound)
        return bound.close
      })
    })))

/** Scopes of one application close in parallel: where a shutdown has begun by now, the order is its own. */
const closeAlone = (bound: BoundListener, listeners: Set<BoundListener>, registry: ConnectionRegistry) =>
  Effect.suspend(() =>
    registry.lifecycle.isStopping ? Effect.void : Effect.zipRight(
      bound.close,
      Effect.sync(() => {
        listeners.delete(bound)
        bound.release()
      })
    )
  )

const ignore = () => {}
