/** The fixture under what supervises it. */
import { fileURLToPath } from "node:url"
import type { Tool } from "../clients/tool.js"
import { type Child, withChild } from "../support/child.js"
import type { RawClient } from "../support/rawClient.js"
import { waitFor } from "../support/wait.js"
import type { Options } from "./fixtures/app.js"

export const python: Tool = { name: "Python", commands: ["python3"], debian: "python3" }

/** Of every wait that takes no time of its own; the machine may be busy. */
export const limit = 15_000

export const fixture = new URL("fixtures/app.ts", import.meta.url)

interface Under {
  readonly under?: ReadonlyArray<string>
  readonly env?: Readonly<Record<string, string>>
}

export const withApp = (options: Options, under: Under, use: (child: Child) => Promise<void>): Promise<void> =>
  withChild(fixture, [JSON.stringify(options)], use, under)

/** `fixtures/systemd.py` with these arguments. */
export const likeSystemd = (...args: ReadonlyArray<string>): ReadonlyArray<string> => [
  "python3",
  fileURLToPath(new URL("fixtures/systemd.py", import.meta.url)),
  ...args,
  "--"
]

export const get = (path: string): string => `GET ${path} HTTP/1.1\r\nHost: test\r\n\r\n`

export const body = async (client: RawClient): Promise<string> =>
  (await client.untilResponses(1, limit)).responses[0]!.body.toString()

export const untilLogged = (child: Child, text: string) =>
  waitFor(
    () => `"${text}" in the log: ${child.stdout()}${child.stderr()}`,
    () => child.stdout().includes(text) || child.exited !== undefined,
    limit
  )

export const timesLogged = (child: Child, text: string): number => child.stdout().split(text).length - 1
