// Effect 3 as it is: `Layer.launch`, and `runMain`, which interrupts it when a signal comes.
// https://github.com/Effect-TS/effect/tree/v3/packages/platform#http-server
import { NodeHttpServer, NodeRuntime } from "@effect/platform-node"
import { serve } from "./effect3App.mjs"

NodeRuntime.runMain(serve(NodeHttpServer))
