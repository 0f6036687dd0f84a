// @effect/platform-node as it is.
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import { nodeServer, options } from "./app.mjs"
import { run } from "./effectApp.mjs"

run(NodeHttpServer.layer(() => nodeServer(), options))
