// @effect/platform-node as it is.
import { NodeHttpServer } from "@effect/platform-node"
import { nodeServer, options } from "./app.mjs"
import { run } from "./effectApp.mjs"

run(NodeHttpServer.layer(() => nodeServer(), options))
