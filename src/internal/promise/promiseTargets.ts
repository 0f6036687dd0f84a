/**
 * What a program without Effect may take over: Node servers, and frameworks that have one.
 */
import * as Net from "node:net"
import { whyNotAdopt } from "../listener/listenErrors.js"
import type { NodeServer } from "../model/listener.js"
import type { Framework, Target } from "../model/promise.js"
import { isOfBun } from "../node/httpServers.js"
import { serverBindingsOf } from "../node/internals.js"
import * as Patch from "../node/patch.js"
import * as Given from "../policy/validateFunction.js"

export interface Targets {
  readonly nodeServers: ReadonlyArray<NodeServer>
  /** Those that close themselves when their servers are drained. */
  readonly frameworks: ReadonlyArray<Framework>
}

/** Looks at all of them before one is touched. */
export const sorted = (targets: Target | ReadonlyArray<Target>): Targets => {
  const nodeServers: Array<NodeServer> = []
  const frameworks: Array<Framework> = []
  if (Array.isArray(targets) && targets.length === 0) throw whyNotAdopt(targets)
  for (const target of isMany(targets) ? targets : [targets]) {
    const node = nodeServerOf(target)
    const problem = whyNotAdopt(node, nodeServers)
    if (problem !== undefined) throw problem
    nodeServers.push(node)
    if (isNodeServer(target)) continue
    Given.aFunction(
      "close",
      target.close,
      "a function, as of a framework that closes itself; pass the `server` of one that cannot"
    )
    frameworks.push(target)
  }
  return { nodeServers, frameworks }
}

const isMany = (targets: Target | ReadonlyArray<Target>): targets is ReadonlyArray<Target> => Array.isArray(targets)

const isNodeServer = (target: Target): target is NodeServer => target instanceof Net.Server

/** What has none is returned as it is, to be told what it is. */
const nodeServerOf = (target: Target): NodeServer => {
  if (isNodeServer(target)) return target
  const server: unknown = Object(target).server
  return server instanceof Net.Server || isOfBun(server) ? server as NodeServer : target as unknown as NodeServer
}

/**
 * fastify listens with one more server for each further address of `localhost`, which is where it listens unless it is
 * told otherwise, and keeps them in a list of its own.
 */
export const adoptLater = (framework: Framework, adopt: (node: NodeServer) => void): void => {
  const bindings = serverBindingsOf(framework)
  if (bindings === undefined) return
  const added = (node: unknown) => {
    if (node instanceof Net.Server) adopt(node)
  }
  bindings.forEach(added)
  Patch.bindingsPush(bindings, added)
}
