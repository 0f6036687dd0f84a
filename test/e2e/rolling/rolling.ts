/**
 * Two instances behind a proxy, restarted in turn by SIGTERM under load.
 */
import type { Shutdown } from "../../../src/index.js"
import { type Child, type Exit, start, startLimit } from "../../support/child.js"
import { now, pace, waitFor } from "../../support/wait.js"
import { type Account, type Clients, startClients } from "./clients.js"
import type { Options as InstanceOptions } from "./instance.js"
import { freeBackends, type Proxy, type ProxyName, startProxy } from "./proxy.js"

export interface Options {
  readonly proxy: ProxyName
  readonly restarts: number
  readonly policy: Shutdown.Policy
  readonly withoutRetry?: boolean
  readonly stock?: boolean
  /** What its supervisor allows an instance between SIGTERM and SIGKILL. Default: 30 seconds. */
  readonly graceMs?: number
  /** How long whoever restarts them waits before the next one. Default: not at all. */
  readonly pauseMs?: number
  readonly onRestart?: (restart: Restart, nth: number) => void
}

export interface Restart {
  readonly exit: Exit
  /** From SIGTERM to the last order that the proxy brought. */
  readonly sentForMs: number
  /** From SIGTERM until the new one was brought its first order. */
  readonly tookMs: number
  /** Requests that failed meanwhile. */
  readonly failed: number
}

export interface Result extends Account {
  readonly restarts: ReadonlyArray<Restart>
  readonly seconds: number
  /** Orders that were executed, and whose clients heard nothing of it. */
  readonly executedUnanswered: number
  /** Orders that were executed more than once. */
  readonly executedAgain: number
  readonly proxyErrors: ReadonlyArray<string>
}

class Instance {
  readonly #options: InstanceOptions
  readonly #children: Array<Child> = []

  constructor(options: InstanceOptions) {
    this.#options = options
  }

  async start(): Promise<void> {
    const child = start(new URL("./instance.ts", import.meta.url), [JSON.stringify(this.#options)])
    this.#children.push(child)
    await child.listening(startLimit)
  }

  get #child(): Child {
    const child = this.#children.at(-1)
    if (child === undefined) throw new Error("it has not been started")
    return child
  }

  /** The proxy sends to it. */
  async reached(): Promise<void> {
    const { lines } = this.#child
    await waitFor("the proxy to bring an order", () => lines.some(({ event }) => event === "executed"), 30_000)
  }

  async restart(clients: Clients, graceMs: number): Promise<Restart> {
    const old = this.#child
    const failedBefore = clients.account().failed
    const signalledAt = now()
    old.signal("SIGTERM")
    if (await old.exitWithin(graceMs) === undefined) await old.kill()
    const exit = await old.exit(1000)
    await this.start()
    await this.reached()
    const last = old.linesOf("executed").at(-1)?.["at"]
    return {
      exit,
      sentForMs: Math.max(0, Number(last) - signalledAt),
      tookMs: now() - signalledAt,
      failed: clients.account().failed - failedBefore
    }
  }

  executed(): ReadonlyArray<string> {
    return this.#children.flatMap((child) => child.linesOf("executed").map(({ id }) => String(id)))
  }

  async end(): Promise<void> {
    await Promise.all(this.#children.map((child) => child.kill()))
  }
}

/** Does it, and leaves no process behind. */
export const roll = async (options: Options): Promise<Result> => {
  const { graceMs = 30_000, onRestart, pauseMs = 0, policy, proxy: name, restarts, stock, withoutRetry } = options
  const backends = await freeBackends(name)
  const instances = backends.map((backend) => new Instance({ ...backend, policy, stock: stock === true }))
  const proxies: Array<Proxy> = []
  try {
    await Promise.all(instances.map((instance) => instance.start()))
    const proxy = await startProxy({ name, backends, withoutRetry: withoutRetry === true })
    proxies.push(proxy)
    const clients = startClients(proxy.port)
    await Promise.all(instances.map((instance) => instance.reached()))
    const begun = now()
    const seen: Array<Restart> = []
    while (seen.length < restarts) {
      for (const instance of instances) {
        if (seen.length === restarts) break
        const restart = await instance.restart(clients, graceMs)
        seen.push(restart)
        onRestart?.(restart, seen.length)
        if (pauseMs > 0) await pace(pauseMs)
      }
    }
    const seconds = (now() - begun) / 1000
    const account = await clients.stop()
    await Promise.all(instances.map((instance) => instance.end()))
    const executed = instances.flatMap((instance) => instance.executed())
    const once = new Set(executed).size
    return {
      ...account,
      restarts: seen,
      seconds,
      executedUnanswered: once - account.accepted,
      executedAgain: executed.length - once,
      proxyErrors: proxy.errors()
    }
  } finally {
    await Promise.all([...instances.map((instance) => instance.end()), ...proxies.map((proxy) => proxy.stop())])
  }
}
