/**
 * A scenario: clients that do something to the app around its SIGTERM, what they saw, and how the process ended. It is
 * written once, and run against either server.
 */
import { type Child, withChild } from "../../support/child.js"
import type { HttpResponse } from "../../support/httpResponses.js"
import type { RawClient, Target } from "../../support/rawClient.js"
import type { AppOptions, Which } from "./app.js"

/** What `docker stop` allows between SIGTERM and SIGKILL. */
export const dockerPatienceMs = 10_000

export interface ProcessEnd {
  /** `undefined`: it was still running when our patience ended, and was killed. */
  readonly code: number | null | undefined
  /** Since SIGTERM. */
  readonly ms: number
}

export interface RunningApp {
  readonly target: Target
  readonly child: Child
  /** SIGTERM; resolves when the process knows. */
  readonly terminate: () => Promise<void>
  /** Waits until the app's handlers have begun that many requests to `/slow`, `/query` or `/held`. */
  readonly started: (count?: number) => Promise<void>
  /** The nth final response, or `undefined` if it has not come when the connection or the process ends. */
  readonly response: (client: RawClient, nth?: number) => Promise<HttpResponse | undefined>
  /** SIGTERM if there was none yet, then the end of the process within our patience. */
  readonly ended: () => Promise<ProcessEnd>
}

export interface Outcome<R> {
  readonly result: R & { readonly end: ProcessEnd }
  /** For a reader: what the clients saw and how the process ended, in a few words. */
  readonly saw: string
  /** Nobody lost anything, and the process ended. */
  readonly kept: boolean
}

export interface Scenario<out R> {
  readonly id: string
  readonly title: string
  readonly run: (which: Which, patienceMs?: number) => Promise<Outcome<R>>
}

export const scenario = <R>(definition: {
  readonly id: string
  readonly title: string
  readonly options?: AppOptions
  /** Start the clients when the server listens, and not when the app is attached. */
  readonly beforeReady?: boolean
  readonly clients: (app: RunningApp) => Promise<R>
  readonly saw: (result: R) => string
  readonly kept: (result: R, end: ProcessEnd) => boolean
}): Scenario<R> => ({
  id: definition.id,
  title: definition.title,
  run: (which, patienceMs = dockerPatienceMs) =>
    withChild(
      new URL("./main.ts", import.meta.url),
      [which, JSON.stringify(definition.options ?? {})],
      async (child) => {
        const target = await child.listening()
        if (definition.beforeReady !== true) await child.line("ready", 5000)
        const app = runningApp(child, target, patienceMs)
        const result = await definition.clients(app)
        const end = await app.ended()
        return {
          result: { ...result, end },
          saw: [definition.saw(result), describeEnd(end)].filter((part) => part !== "").join("; "),
          kept: end.code !== undefined && definition.kept(result, end)
        }
      }
    )
})

const runningApp = (child: Child, target: Target, patienceMs: number): RunningApp => ({
  target,
  child,
  terminate: async () => {
    child.signal("SIGTERM")
    await child.line("signalled", 5000)
  },
  started: async (count = 1) => void await child.line("started", 5000, count),
  response: async (client, nth = 1) => {
    const whole = client.untilResponses(nth, 2 * patienceMs).catch(() => undefined)
    await Promise.race([whole, child.exitWithin(patienceMs)])
    const response = client.parsed().responses[nth - 1]
    return response?.complete === true ? response : undefined
  },
  ended: async () => {
    if (child.signalledAt === undefined) child.signal("SIGTERM")
    const exit = await child.exitWithin(patienceMs)
    return exit === undefined ? { code: undefined, ms: patienceMs } : { code: exit.code, ms: exit.msSinceSignal! }
  }
})

export const describeEnd = (end: ProcessEnd): string =>
  end.code === undefined
    ? `still running ${seconds(end.ms)} after SIGTERM`
    : `exit ${String(end.code)} after ${seconds(end.ms)}`

export const seconds = (ms: number): string => ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`

export const sawStatus = ({ status }: { readonly status: number | undefined }): string =>
  status === undefined ? "never answered" : `answered ${status}`
