/** The fixture as a process, and what it says of its end. */
import { type Child, withChild } from "../../support/child.js"
import { type RawClient, withClient } from "../../support/rawClient.js"
import { waitFor } from "../../support/wait.js"
import type { Options } from "./fixtures/app.js"

/** Of every wait that takes no time of its own; the machine may be busy. */
export const limit = 15_000

export const withApp = (options: Options, use: (child: Child) => Promise<void>) => () =>
  withChild(new URL("fixtures/app.ts", import.meta.url), [JSON.stringify(options)], use)

/** With a client whose request is in flight. */
export const withRequest = (
  path: string,
  options: Options,
  use: (child: Child, client: RawClient) => Promise<void>
) =>
  withApp(options, async (child) => {
    await withClient(await child.listening(), async (client) => {
      await client.write(`GET ${path} HTTP/1.1\r\nHost: test\r\n\r\n`)
      if (path !== "/") await child.line("request", limit)
      await use(child, client)
    })
  })

export const answer = async (client: RawClient, nth = 1) =>
  (await client.untilResponses(nth, limit)).responses[nth - 1]!

export const untilPhase = (child: Child, phase: string) =>
  waitFor(
    () => `${phase}: ${child.stdout()}${child.stderr()}`,
    () => child.linesOf("phase").some((line) => line["phase"] === phase) || child.exited !== undefined,
    limit
  )

export const release = (child: Child) => child.write("release\n")

/** How it ended; `what` was released in this order. */
export const processEnd = async (child: Child) => {
  const { code, signal } = await child.exit(limit)
  const byItself = child.linesOf("byItself").length > 0
  const after = child.linesOf("exit")[0]?.["after"] as Readonly<Record<string, ReadonlyArray<string>>> | undefined
  // what is ended within half a second of a signal hears its echo to the last
  const mayHear = child.signalledAt !== undefined && !byItself
  const isClean = (names: ReadonlyArray<string>) =>
    names.length === 0 || (mayHear && names.length === 1 && names[0] === "quiesce")
  return {
    code: code ?? signal,
    outcome: child.linesOf("report")[0]?.["outcome"],
    released: child.linesOf("released").map(({ what }) => what),
    /** No listener is left of `runMain`'s, nor of ours, but for one that an echo would come to. */
    clean: after === undefined ? undefined : Object.values(after).every(isClean),
    byItself
  }
}
