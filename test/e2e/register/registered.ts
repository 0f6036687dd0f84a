/** A program that knows nothing of quiesce, with `--import quiesce/register`. */
import { fileURLToPath } from "node:url"
import { nodeArgs } from "../../support/bundle.js"
import { certificate } from "../../support/certificate.js"
import { type Child, type StartOptions, withChild } from "../../support/child.js"
import { get } from "../../support/httpRequests.js"
import { type RawClient, withClient } from "../../support/rawClient.js"

/** Of every wait that takes no time of its own; the machine may be busy. */
export const limit = 30_000

export const program = new URL("fixtures/program.cjs", import.meta.url)

/** What Node is told. In a run of vitest it is one file. */
export const register: ReadonlyArray<string> = [
  "--import",
  nodeArgs(new URL("../../../src/register.ts", import.meta.url)).at(-1)!
]

export interface Options {
  readonly servers?: ReadonlyArray<string>
  readonly handlers?: ReadonlyArray<string>
  readonly where?: object
  readonly listens?: boolean
  readonly alive?: boolean
  readonly probes?: boolean
  /** It has replaced what `console` has by functions that do nothing. */
  readonly quiet?: boolean
  /** It sends itself a SIGTERM at once when it listens. */
  readonly stopsItself?: boolean
  readonly reopens?: "the same" | "another"
}

export const withProgram = (
  options: Options,
  use: (child: Child) => Promise<void>,
  { env, execArgv = register, ...start }: StartOptions = {}
) =>
  withChild(program, [JSON.stringify(options)], use, {
    asItStands: true,
    execArgv,
    env: { ...certificate, ...env },
    ...start
  })

/** With a client whose request is in flight. */
export const withRequest = (
  options: Options,
  use: (child: Child, client: RawClient) => Promise<void>,
  start?: StartOptions
) =>
  withProgram(options, async (child) => {
    await withClient(await child.listening(), async (client) => {
      await client.write(get("/slow"))
      await child.line("request", limit)
      await use(child, client)
    })
  }, start)

export const release = (child: Child) => child.write("release\n")

export const answer = async (client: RawClient) => {
  const response = (await client.untilResponses(1, limit)).responses[0]!
  return { status: response.status, complete: response.complete, body: response.body.toString() }
}

export const whole = { status: 200, complete: true, body: "whole" }

export const pathOf = (fixture: string) => fileURLToPath(new URL(`fixtures/${fixture}`, import.meta.url))
