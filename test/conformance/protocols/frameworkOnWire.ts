/** A framework on a wire, with a `quiesce` server over it, for the time of one test. */
import * as HttpServer from "@effect/platform/HttpServer"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { type Connection, NodeHttpServer, Server, type Shutdown } from "../../../src/index.js"
import { portOf } from "../../support/nodeServer.js"
import { launch, silent, until } from "../../support/running.js"
import { waitFor } from "../../support/wait.js"
import { effectApp, type Framework, type Made, type NodeServer } from "./apps.js"
import * as FramesClient from "./framesClient.js"
import { type Client, connect, createServer, isSecure, type Wire } from "./wires.js"
import { Work } from "./work.js"

export interface FrameworkOnWire {
  readonly work: Work
  readonly node: NodeServer
  /** A client that is gone when the test is over. */
  readonly connect: () => Client
  /** The same for HTTP/2, without Node's own client. */
  readonly framesClient: () => Client
  /** Starts the shutdown, and has done what it does in the same turn of the event loop. */
  readonly stop: () => void
  /** Starts the shutdown, and waits until nobody is accepted any more. */
  readonly drain: () => Promise<void>
  readonly report: () => Promise<Shutdown.Report>
  readonly phase: () => Shutdown.Phase
  readonly connections: () => ReadonlyArray<Connection.Connection>
  /** Waits until that many handlers have begun. */
  readonly ran: (count: number) => Promise<unknown>
}

/** `undefined` is the Effect app, which `NodeHttpServer` serves. */
export const withFrameworkOnWire = (
  framework: Framework | undefined,
  wire: Wire,
  policy: Shutdown.Policy,
  use: (served: FrameworkOnWire) => Promise<void>
): Promise<void> =>
  Effect.gen(function*() {
    const work = new Work()
    const made = framework === undefined ? { node: createServer(wire) } : framework.make(wire, work)
    const { node } = made
    const target = () => ({ port: portOf(node) })
    const isListening = () => node.listening
    const app = framework === undefined
      ? yield* launch(
        HttpServer.serve(effectApp(work)).pipe(
          Layer.provideMerge(NodeHttpServer.layer(() => node, { ...onLoopback, ...policy }))
        ),
        target,
        isListening
      )
      : yield* launch(Layer.provideMerge(adopted(made), Server.layer(policy)), target, isListening)
    const port = portOf(node)
    const clients: Array<Client> = []
    yield* Effect.addFinalizer(() => Effect.sync(() => clients.forEach((client) => client.leave())))
    const kept = (client: Client) => {
      clients.push(client)
      return client
    }
    const run = <A, E>(effect: Effect.Effect<A, E>) => Effect.runPromise(Effect.provide(effect, silent))
    yield* Effect.promise(() =>
      use({
        work,
        node,
        connect: () => kept(connect(wire, port)),
        framesClient: () => kept(FramesClient.connect(isSecure(wire), port)),
        stop: () => Effect.runSync(app.interrupt),
        drain: () => run(app.drain),
        report: () => run(app.report),
        phase: () => Effect.runSync(app.server.phase.get),
        connections: () => Effect.runSync(app.server.connections),
        ran: (count) =>
          run(until(
            () => `${count} handlers to have begun; ${work.executed.length} have`,
            () => work.executed.length >= count
          ))
      })
    )
  }).pipe(Effect.scoped, Effect.provide(silent), Effect.runPromise)

const adopted = ({ listen, node }: Made) =>
  Layer.scopedDiscard(
    Effect.gen(function*() {
      const server = yield* Server.Server
      yield* server.adopt(node)
      yield* Effect.promise(() => listen === undefined ? listening(node) : listen(0))
    })
  )

const onLoopback = { host: "127.0.0.1", port: 0 }

/** Listens where no framework does. */
export const listening = async (node: NodeServer): Promise<number> => {
  node.listen(onLoopback)
  await waitFor("the server to listen", () => node.listening, 15_000)
  return portOf(node)
}
