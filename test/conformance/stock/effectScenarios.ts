/**
 * What hurts with stock and only an Effect app has: `serve` that is not attached yet, and the scope of a request. The rest
 * is what `quiesce check` asks of any server.
 */
import { type Child, withChild } from "../../support/child.js"
import { get } from "../../support/httpRequests.js"
import { connect, type Target, withClient } from "../../support/rawClient.js"
import { pace } from "../../support/wait.js"
import type { AppOptions, Which } from "./app.js"

/** What `docker stop` allows between SIGTERM and SIGKILL. */
export const dockerPatienceMs = 10_000

export interface ProcessEnd {
  /** `undefined`: it was still running when our patience ended, and was killed. */
  readonly code: number | null | undefined
  /** Since SIGTERM. */
  readonly ms: number
}

interface RunningApp {
  readonly target: Target
  readonly child: Child
  /** SIGTERM, and the end of the process within our patience. */
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
  readonly title: string
  readonly run: (which: Which, patienceMs?: number) => Promise<Outcome<R>>
}

const scenario = <R>(definition: {
  readonly title: string
  readonly options?: AppOptions
  readonly clients: (app: RunningApp) => Promise<R>
  readonly saw: (result: R) => string
  readonly kept: (result: R) => boolean
}): Scenario<R> => ({
  title: definition.title,
  run: (which, patienceMs = dockerPatienceMs) =>
    withChild(
      new URL("./main.ts", import.meta.url),
      [which, JSON.stringify(definition.options ?? {})],
      async (child) => {
        const ended = async () => {
          if (child.signalledAt === undefined) child.signal("SIGTERM")
          const exit = await child.exitWithin(patienceMs)
          return exit === undefined ? { code: undefined, ms: patienceMs } : { code: exit.code, ms: exit.msSinceSignal! }
        }
        const result = await definition.clients({ target: await child.listening(), child, ended })
        const end = await ended()
        return {
          result: { ...result, end },
          saw: `${definition.saw(result)}; ${describeEnd(end)}`,
          kept: end.code !== undefined && definition.kept(result)
        }
      }
    )
})

const describeEnd = ({ code, ms }: ProcessEnd): string => {
  const time = ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`
  return code === undefined ? `still running after ${time}` : `exit code ${String(code)} after ${time}`
}

export const requestBeforeServe = scenario({
  title: "a request that arrives before `serve` is attached",
  options: { poolOpensAfterMs: 700 },
  clients: ({ child, ended, target }) =>
    withClient(target, async (client) => {
      await client.write(get("/"))
      await child.line("ready", 5000)
      const answer = await client.untilResponses(1, 2000).catch(() => undefined)
      // It keeps its connection, as a client that still waits does.
      await ended()
      return { status: answer?.responses[0]?.status }
    }),
  saw: ({ status }) => status === undefined ? "never answered" : `answered ${status}`,
  kept: ({ status }) => status === 200
})

export const clientLeft = scenario({
  title: "a client that leaves before an uninterruptible handler answers",
  clients: async ({ child, target }) => {
    await child.line("ready", 5000)
    const client = await connect(target)
    await client.write(get("/held/200"))
    await child.line("started", 5000)
    client.leave()
    await child.line("handler done", 2000)
    const held = () =>
      withClient(target, async (other) => {
        await other.write(get("/held"))
        return Number((await other.untilResponses(1, 2000)).responses[0]!.body.toString())
      })
    for (let i = 0; i < 50 && await held() > 0; i++) await pace(10)
    return { requestScopesOpen: await held() }
  },
  saw: ({ requestScopesOpen }) => requestScopesOpen === 0 ? "the request ended" : "the request's fiber and scope leak",
  kept: ({ requestScopesOpen }) => requestScopesOpen === 0
})

export const effectScenarios: ReadonlyArray<Scenario<unknown>> = [requestBeforeServe, clientLeft]
