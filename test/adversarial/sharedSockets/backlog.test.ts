import { spawn } from "node:child_process"
import { once } from "node:events"
import * as Net from "node:net"
import { describe, expect, it } from "vitest"
import { nodeArgs } from "../../support/bundle.js"
import { deferred, waitFor } from "../../support/wait.js"
import type { Kind } from "./fixtures/flooded.js"

// Pins internal/node: connectionKeyOf, handleOf

// The queue of a listening socket belongs to the socket: its length is not changed where others have the socket, too.

const limit = 60_000

const fixture = new URL("fixtures/flooded.ts", import.meta.url)

/** Two that are held by this process until the child has them. */
const holders = () =>
  Promise.all([0, 1].map(async () => {
    const holder = Net.createServer()
    await once(holder.listen({ port: 0, host: "127.0.0.1", backlog: 400 }), "listening")
    return holder
  }))

const descriptorOf = (holder: Net.Server) =>
  (holder as unknown as { readonly _handle: { readonly fd: number } })._handle.fd

/** The lengths that each queue was given while its server stopped. */
const lengths = async (mode: "alone" | "cluster"): Promise<ReadonlyArray<unknown>> => {
  const held = await holders()
  const child = spawn(process.execPath, [...nodeArgs(fixture), mode], {
    stdio: ["ignore", "pipe", "inherit", ...held.map(descriptorOf)]
  })
  const closed = deferred()
  child.once("close", () => closed.resolve())
  for (const holder of held) holder.close()
  let printed = ""
  child.stdout?.setEncoding("utf8").on("data", (text: string) => (printed += text))
  try {
    await waitFor(() => `the end of the servers, which have said: ${printed}`, closed.promise, limit)
  } finally {
    child.kill("SIGKILL")
  }
  return printed.split("\n").filter((line) => line.startsWith("{")).map((line): unknown => JSON.parse(line))
}

const stopped = (kind: Kind, ...lengths: ReadonlyArray<number>) => ({ event: "stopped", kind, lengths })

describe("a server that stops under a flood leaves the queue alone that others have, too", { timeout: limit }, () => {
  it("and makes its own as short as can be", async () => {
    const [alone, workers] = await Promise.all([lengths("alone"), lengths("cluster")])
    expect(alone).toEqual([stopped("effect"), stopped("adopted"), stopped("handle"), stopped("own", 0)])
    expect(workers).toEqual([stopped("worker"), stopped("exclusive", 0)])
  })
})
