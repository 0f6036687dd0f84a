/** The fixture under what supervises it. */
import { fileURLToPath } from "node:url"
import { type Child, type StartOptions, withChild } from "../../support/child.js"
import { python, type Under } from "../../support/program.js"
import type { RawClient } from "../../support/rawClient.js"
import type { Options } from "./fixtures/app.js"

/** Of every wait that takes no time of its own; the machine may be busy. */
export const limit = 30_000

export const fixture = new URL("fixtures/app.ts", import.meta.url)

/** The same without Effect: it says that it is ready at SIGUSR1. */
export const plain = new URL("fixtures/plain.ts", import.meta.url)

export const withApp = (
  options: Options,
  started: StartOptions,
  use: (child: Child) => Promise<void>
): Promise<void> => withChild(fixture, [JSON.stringify(options)], use, started)

/** `fixtures/systemd.py` with these arguments. */
export const likeSystemd = (...args: ReadonlyArray<string>): Under => ({
  program: python,
  args: [fileURLToPath(new URL("fixtures/systemd.py", import.meta.url)), ...args, "--"]
})

export const body = async (client: RawClient): Promise<string> =>
  (await client.untilResponses(1, limit)).responses[0]!.body.toString()
