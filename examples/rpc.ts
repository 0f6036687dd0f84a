// RPC over a socket: a call that is in flight when the server is told to stop gets its result.
//
//   node --import tsx examples/rpc.ts
//   node --import tsx examples/rpc.ts call       and Ctrl-C the server meanwhile: the result still comes
import { HttpServer, SocketServer } from "@effect/platform"
import { NodeRuntime, NodeSocket } from "@effect/platform-node"
import { Rpc, RpcClient, RpcGroup, RpcSerialization, RpcServer } from "@effect/rpc"
import { Effect, Layer, Schema } from "effect"
import { NodeSocketServer, Signals } from "quiesce"
import { withDrain } from "quiesce/rpc"

const host = "127.0.0.1"
const port = Number(process.env["PORT"] ?? 3000)

const Greetings = RpcGroup.make(
  Rpc.make("Greet", { payload: { name: Schema.String }, success: Schema.String })
)

const GreetingsLive = Greetings.toLayer({
  Greet: ({ name }) =>
    Effect.log(`Greeting ${name}`).pipe(
      Effect.zipRight(Effect.sleep("2 seconds")),
      Effect.as(`hello ${name}, two seconds later`)
    )
})

const logAddress = Layer.effectDiscard(
  Effect.flatMap(
    SocketServer.SocketServer,
    ({ address }) => Effect.log(`Listening on ${HttpServer.formatAddress(address).replace("http://", "")}`)
  )
)

const server = Layer.merge(RpcServer.layer(Greetings), logAddress).pipe(
  Layer.provide(GreetingsLive),
  Layer.provide(RpcServer.layerProtocolSocketServer.pipe(withDrain)),
  Layer.provide(RpcSerialization.layerNdjson),
  Layer.provide(NodeSocketServer.layer({ host, port, timeout: "5 seconds" })),
  Layer.launch
)

const ClientLive = RpcClient.layerProtocolSocket().pipe(
  Layer.provide(NodeSocket.layerNet({ host, port })),
  Layer.provideMerge(RpcSerialization.layerNdjson)
)

const call = Effect.flatMap(RpcClient.make(Greetings), (client) => client.Greet({ name: "Ada" })).pipe(
  Effect.tap((greeting) => Effect.log(greeting)),
  Effect.scoped,
  Effect.provide(ClientLive)
)

if (process.argv[2] === "call") NodeRuntime.runMain(call)
else NodeRuntime.runMain(server, { teardown: Signals.teardown })
