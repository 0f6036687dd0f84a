// The same, with the import changed.
import * as NodeHttpServer from "quiesce/NodeHttpServer"
import { graceMs, nodeServer, options } from "./app.mjs"
import { run } from "./effectApp.mjs"

const idleGrace = process.env.BENCH_IDLE_GRACE
run(NodeHttpServer.layer(() => nodeServer(), {
  ...options,
  timeout: graceMs,
  ...idleGrace === undefined ? undefined : { idleGrace }
}))
