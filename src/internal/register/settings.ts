/**
 * What the environment says beside the policy: who may ask about the process, and who is told of it.
 */
import * as Config from "effect/Config"
import { rejectIf, setting } from "../effect/configs.js"
import { noSlip } from "../policy/policyConfig.js"

export type Where = { readonly host: string; readonly port: number } | { readonly path: string }

export interface AdminSettings {
  readonly where: Where
  readonly actions: boolean
  readonly allowedHosts: "all" | ReadonlyArray<string>
  readonly showQuery: boolean
}

export interface Settings {
  readonly admin: AdminSettings | undefined
  readonly agentCheck: Where | undefined
  /** Whether systemd and PM2 are told. */
  readonly notify: boolean
}

/** Whether somebody may ask about the process. */
export const isAsked = ({ admin, agentCheck }: Settings): boolean => admin !== undefined || agentCheck !== undefined

/** Without their prefix. */
const names = [
  "ADMIN_PORT",
  "ADMIN_HOST",
  "ADMIN_PATH",
  "ADMIN_ALLOWED_HOSTS",
  "ADMIN_ACTIONS",
  "ADMIN_SHOW_QUERY",
  "AGENT_CHECK_PORT",
  "AGENT_CHECK_HOST",
  "NOTIFY"
]

const port = (name: string) =>
  setting(
    name,
    "a port, from 0 to 65535",
    (text) => /^\d{1,5}$/.test(text) && Number(text) <= 65_535 ? Number(text) : undefined
  )

const text = (name: string, example: string) => setting(name, example, (text) => text === "" ? undefined : text)

const hosts = (name: string) =>
  setting<"all" | ReadonlyArray<string>>(name, `"all", or names with commas between them`, (text) => {
    if (text === "all") return text
    const names = text.split(",").map((each) => each.trim())
    return names.includes("") ? undefined : names
  })

const flag = (name: string, otherwise: boolean) => Config.withDefault(Config.boolean(name), otherwise)

const loopback = "127.0.0.1"

interface Fields {
  readonly port: number | undefined
  readonly host: string
  readonly path: string | undefined
  readonly allowedHosts: "all" | ReadonlyArray<string> | undefined
  readonly actions: boolean
  readonly showQuery: boolean
  readonly agentPort: number | undefined
  readonly agentHost: string
  readonly notify: boolean
}

const fields: Config.Config<Fields> = Config.all({
  port: Config.withDefault(port("SHUTDOWN_ADMIN_PORT"), undefined),
  host: Config.withDefault(text("SHUTDOWN_ADMIN_HOST", "an address, such as 0.0.0.0"), loopback),
  path: Config.withDefault(text("SHUTDOWN_ADMIN_PATH", "a path, such as /run/app/admin-%p.sock"), undefined),
  allowedHosts: Config.withDefault(hosts("SHUTDOWN_ADMIN_ALLOWED_HOSTS"), undefined),
  actions: flag("SHUTDOWN_ADMIN_ACTIONS", false),
  showQuery: flag("SHUTDOWN_ADMIN_SHOW_QUERY", false),
  agentPort: Config.withDefault(port("SHUTDOWN_AGENT_CHECK_PORT"), undefined),
  agentHost: Config.withDefault(text("SHUTDOWN_AGENT_CHECK_HOST", "an address, such as 0.0.0.0"), loopback),
  notify: flag("SHUTDOWN_NOTIFY", true)
})

/** What does not go together. */
const conflict = ({ actions, allowedHosts, path, port }: Fields) => {
  if (path !== undefined && port !== undefined) {
    return { name: "SHUTDOWN_ADMIN_PATH", message: "there is one admin listener: set this, or SHUTDOWN_ADMIN_PORT" }
  }
  return actions && allowedHosts === "all"
    ? {
      name: "SHUTDOWN_ADMIN_ALLOWED_HOSTS",
      message: "with SHUTDOWN_ADMIN_ACTIONS it must be names: a page of any other site could use them by DNS rebinding"
    }
    : undefined
}

export const settings: Config.Config<Settings> = Config.map(
  Config.all([noSlip(names), rejectIf(fields, conflict), fields]),
  ([_, __, { actions, agentHost, agentPort, allowedHosts, host, notify, path, port, showQuery }]): Settings => {
    const where = path !== undefined ? { path } : port !== undefined ? { host, port } : undefined
    return {
      admin: where && {
        where,
        actions,
        // no browser can ask on a path
        allowedHosts: allowedHosts ?? (path === undefined || actions ? [] : "all"),
        showQuery
      },
      agentCheck: agentPort === undefined ? undefined : { host: agentHost, port: agentPort },
      notify
    }
  }
)
