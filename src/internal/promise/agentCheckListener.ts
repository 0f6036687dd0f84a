/**
 * HAProxy's agent check of a program without Effect: as the admin listener, it answers until the end, and keeps no process
 * alive.
 */
import { agentServer } from "../health/agentCheck.js"
import type { AgentCheckOptions, Options } from "../model/promiseOptions.js"
import { type AdminListener, type Aside, portOptions, withoutHold } from "./adminListener.js"

const optionNames = Object.keys({ host: 0, port: 0 } satisfies { [K in keyof AgentCheckOptions]-?: unknown })

export const agentCheckOptions = (agentCheck: Options["agentCheck"]): AgentCheckOptions | undefined =>
  agentCheck === undefined ? undefined : portOptions<AgentCheckOptions>("agentCheck", agentCheck, 9100, optionNames)

export const listen = (
  { host = "127.0.0.1", port }: AgentCheckOptions,
  ask: () => Promise<string>,
  aside: Aside
): AdminListener => {
  const node = withoutHold(agentServer(ask))
  return { address: aside(node, { host, port }), close: () => void node.close() }
}
