/**
 * How a server stops: the {@link Policy} that bounds it, the {@link Phase}s it goes through and the {@link Report}
 * of what happened.
 *
 * A shutdown goes through four phases:
 *
 * 1. **LameDuck** (`lameDuck`, default 0): still accepting and serving, but every response says `Connection: close`,
 *    so that clients and load balancers move on of their own accord.
 * 2. **Draining** (`timeout`, default 8 s): listeners close, hooks start together, idle connections are closed,
 *    requests in flight finish.
 * 3. **The deadline**: request fibers are interrupted (a handler that has not answered answers 503) and get
 *    `killTimeout` (default 1 s) to finish their finalizers; what is still open then is cut.
 * 4. **Closed**: the report. A request that did not get its whole response makes the shutdown fail with
 *    {@link DeadlineExceeded}, so that a process under `NodeRuntime.runMain` exits with 1.
 *
 * **Gotchas**
 *
 * - The defaults add up to 9 s, so that they fit in the 10 s of `docker stop`. Under Kubernetes raise `timeout` with
 *   `terminationGracePeriodSeconds`.
 * - Only `timeout` may be infinite. Without a deadline a shutdown takes as long as its slowest client.
 *
 * @since 0.1.0
 * @module
 */

import * as Duration from "effect/Duration"
import type { Phase, Policy, WebSocketPolicy } from "./internal/model/policy.js"
import { defaultPolicy, pollSchedule } from "./internal/policy/defaults.js"

export { defaultPolicy, pollSchedule }
export type { Phase, Policy, WebSocketPolicy }

export { DeadlineExceeded, InvalidPolicy, ServerClosed } from "./internal/model/errors.js"
export type { BackgroundReport, CutRequest, EndedStream, HookReport, Report } from "./internal/model/report.js"
export { config } from "./internal/policy/policyConfig.js"
export { development, docker, kubernetes, systemd } from "./internal/policy/presets.js"

/**
 * Go's numbers (`net/http` `Server.Shutdown` with a background context): no lame duck, no deadline, no grace for
 * idle connections, 5 seconds for those that never sent a byte ([Go's rules](../docs/go-rules.md#d-shutdown)).
 *
 * **Example**
 *
 * ```ts
 * import { NodeHttpServer, Shutdown } from "quiesce"
 * import { createServer } from "node:http"
 *
 * const ServerLive = NodeHttpServer.layer(() => createServer(), { port: 3000, ...Shutdown.goPolicy })
 * ```
 *
 * @since 0.1.0
 * @category policies
 */
export const goPolicy: Policy = {
  lameDuck: 0,
  timeout: Duration.infinity,
  killTimeout: 0,
  newConnectionGrace: "5 seconds",
  idleGrace: 0,
  endEventStreams: false,
  pollSchedule
}
