// Effect 4 as it is: `Layer.launch`, and `runMain`, which interrupts it when a signal comes.
// https://github.com/Effect-TS/effect/tree/main/packages/platform-node
import { NodeHttpServer, NodeRuntime } from "@effect/platform-node"
import { serve } from "./app.mjs"

NodeRuntime.runMain(serve(NodeHttpServer))
