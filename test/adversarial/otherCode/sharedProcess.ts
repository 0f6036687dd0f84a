/** The fixture as a process. */
import { type Child, type StartOptions, untilLogged, withChild } from "../../support/child.js"
import { type RawClient, withClient } from "../../support/rawClient.js"
import type { Options } from "./fixtures/process.js"

/** Of every wait that takes no time of its own; the machine may be busy. */
export const limit = 20_000

export const fixture = new URL("fixtures/process.ts", import.meta.url)

export const withProcess = (options: Options, use: (child: Child) => Promise<void>, start?: StartOptions) =>
  withChild(fixture, [JSON.stringify(options)], async (child) => {
    await child.listening()
    await use(child)
  }, start)

/** With a client whose request is in flight when SIGTERM comes. */
export const withRequest = (
  options: Options,
  use: (child: Child, client: RawClient) => Promise<void>,
  start?: StartOptions
) =>
  withProcess(options, async (child) => {
    await withClient(await child.listening(), async (client) => {
      await client.write("GET /slow HTTP/1.1\r\nHost: test\r\n\r\n")
      await child.line("request", limit)
      child.signal("SIGTERM")
      await untilLogged(child, "SIGTERM: shutting down")
      await use(child, client)
    })
  }, start)

export const answer = async (client: RawClient) => {
  const response = (await client.untilResponses(1, limit)).responses[0]!
  return { status: response.status, complete: response.complete, body: response.body.toString() }
}

export const whole = { status: 200, complete: true, body: "whole" }
