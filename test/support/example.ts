/** An example as a person runs it: a process, its log, and where it listens. */
import { type Child, startLimit, withChild } from "./child.js"
import { connect, type Target } from "./rawClient.js"
import { now, pace, waitFor } from "./wait.js"

export interface Example {
  readonly child: Child
  readonly target: { readonly port: number }
  /** Waits until the example has logged this. */
  readonly logged: (pattern: RegExp) => Promise<void>
}

export const withExample = (
  name: string,
  use: (example: Example) => Promise<void>,
  env: Readonly<Record<string, string>> = {}
): Promise<void> =>
  withChild(new URL(`../../examples/${name}.ts`, import.meta.url), [], async (child) => {
    const logged = async (pattern: RegExp) =>
      void await waitFor(
        () => `${String(pattern)} in the log: ${child.stdout()}${child.stderr()}`,
        () => pattern.test(child.stdout()) || child.exited !== undefined,
        startLimit
      )
    const where = /Listening on https?:\/\/127\.0\.0\.1:(\d+)/
    await logged(where)
    const port = where.exec(child.stdout())?.[1]
    if (port === undefined) throw new Error(`${name} did not start: ${child.stdout()}${child.stderr()}`)
    await use({ child, target: { port: Number(port) }, logged })
  }, { env: { PORT: "0", ...env } })

/** Until the listener has closed, which may take it 200 ms: it accepts first what the kernel has queued. */
export const refused = async (target: Target, limitMs = 10_000): Promise<void> => {
  const until = now() + limitMs
  while (true) {
    const client = await connect(target)
    client.leave()
    if (client.ending === "refused") return
    if (now() > until) throw new Error("the listener still accepts")
    await pace(20)
  }
}

/** The messages of the log in their order, without times and fibers. */
export const messages = (child: Child): ReadonlyArray<string> =>
  child.stdout().split("\n").flatMap((line) => /^\[[\d:.]+\] [A-Z]+ \(#\d+\): (.*)$/.exec(line)?.[1] ?? [])

export const position = (child: Child, pattern: RegExp): number => {
  const found = messages(child).findIndex((message) => pattern.test(message))
  if (found === -1) throw new Error(`${String(pattern)} was not logged: ${child.stdout()}`)
  return found
}
