/**
 * Scenarios about responses that take long, and connections that are no longer HTTP.
 */
import { get, webSocketHandshake } from "../../../support/httpRequests.js"
import type { Options, RawClient, Target } from "../../../support/rawClient.js"
import { connect, withClient } from "../../../support/rawClient.js"
import { codeOfInterrupted } from "../../../support/runMain.js"
import { waitFor, within } from "../../../support/wait.js"
import { scenario } from "../scenario.js"

const megabyte = 1024 * 1024

export const slowReader = scenario({
  id: "slow-reader",
  title: "a 50 MB response to a client that reads 20 MB/s",
  clients: ({ target, terminate }) =>
    withClient(target, async (client) => {
      await client.write(get("/big/50"))
      await waitFor("the first megabyte", () => client.bytes > megabyte, 5000)
      await terminate()
      await client.untilResponses(1, 20_000).catch(() => undefined)
      const response = client.parsed().responses[0]
      return { megabytes: (response?.body.length ?? 0) / megabyte, complete: response?.complete === true }
    }, { bytesPerSecond: 20 * megabyte }),
  saw: ({ complete, megabytes }) => complete ? "whole" : `cut after ${megabytes.toFixed(1)} MB`,
  kept: ({ complete }) => complete
})

export const endlessStream = scenario({
  id: "endless-stream",
  title: "a response stream that never ends",
  clients: ({ ended, target }) =>
    withClient(target, async (client) => {
      await client.write(get("/ticks"))
      await client.untilText("tick", 5000)
      await ended()
      return { ending: client.ending }
    }),
  saw: () => "",
  // What is cut must be told: a drain that could not finish exits with 1.
  kept: (_, end) => end.code === 1
})

const upgraded = async (target: Target, options?: Options): Promise<RawClient> => {
  const client = await connect(target, options)
  await client.write(webSocketHandshake("/socket"))
  await client.untilText(/^HTTP\/1\.1 101 [^]*\r\n\r\n/, 5000)
  return client
}

/** The close frame the server sent: its code, `"none"` without one, `undefined` if no frame came. */
const closeCode = (client: RawClient): number | "none" | undefined => {
  const frame = client.received().subarray(client.parsed().consumed)
  if (frame[0] !== 0x88) return undefined
  return frame[1]! >= 2 ? frame.readUInt16BE(2) : "none"
}

const sawClose = (code: number | "none" | undefined) =>
  code === undefined ? "no close frame" : code === "none" ? "a close frame without a code" : `close frame ${code}`

export const webSocket = scenario({
  id: "web-socket",
  title: "a WebSocket whose peer answers the close frame",
  clients: async ({ ended, target, terminate }) => {
    const client = await upgraded(target)
    await terminate()
    const told = () => closeCode(client) !== undefined || client.ending !== "open"
    await within(waitFor("a close frame or the end", told, 9000), 9500)
    const code = closeCode(client)
    // A masked close frame that repeats the code.
    if (code !== undefined) await client.write(Buffer.from([0x88, 0x82, 0, 0, 0, 0, 0x03, 0xe9]))
    await ended()
    client.leave()
    return { code }
  },
  saw: ({ code }) => sawClose(code),
  kept: ({ code }, end) => code === 1001 && end.code === codeOfInterrupted
})

export const webSocketIgnoresClose = scenario({
  id: "web-socket-ignores-close",
  title: "a WebSocket whose peer ignores the close frame",
  clients: async ({ ended, target }) => {
    const client = await upgraded(target, { keepHalfOpen: true })
    await ended()
    client.leave()
    return { code: closeCode(client) }
  },
  saw: ({ code }) => sawClose(code),
  kept: ({ code }, end) => code === 1001 && end.code === codeOfInterrupted
})
