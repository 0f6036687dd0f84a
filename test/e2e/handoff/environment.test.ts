import * as Cause from "effect/Cause"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Fs from "node:fs"
import * as Net from "node:net"
import { afterEach, describe, expect, it } from "vitest"
import { Handoff } from "../../../src/index.js"
import { portOf } from "../../support/nodeServer.js"
import { limit } from "../../support/running.js"
import { waitFor } from "../../support/wait.js"

// A process that was told of a predecessor believes it only where it was told itself, and was given the sockets.

const variable = "QUIESCE_HANDOFF"

const files: Array<number> = []
afterEach(() => {
  Reflect.deleteProperty(process.env, variable)
  for (const file of files.splice(0)) Fs.closeSync(file)
})

const file = () => {
  const fd = Fs.openSync("/dev/null", "r")
  files.push(fd)
  return fd
}

/** How a program starts that finds this in its environment, and what it logs. */
const started = async (text: string) => {
  process.env[variable] = text
  const lines: Array<string> = []
  const logger = Logger.make(({ message }) => void lines.push(String(message)))
  const built = Effect.runSync(Deferred.make<string>())
  const fiber = Effect.runFork(
    Layer.effectDiscard(Deferred.succeed(built, "started")).pipe(
      Handoff.launch({ signals: [] }),
      Effect.provide(Logger.replace(Logger.defaultLogger, logger))
    )
  )
  const how = await waitFor(
    "the program to start, or to fail",
    Effect.runPromise(Effect.raceFirst(Deferred.await(built), Fiber.join(fiber)).pipe(Effect.exit)),
    limit
  )
  await Effect.runPromise(Fiber.interrupt(fiber))
  // what it starts finds none of it
  expect(process.env).not.toHaveProperty(variable)
  return { how: Exit.match(how, { onSuccess: String, onFailure: (cause) => Cause.squash(cause) }), lines }
}

const address = { _tag: "TcpAddress", hostname: "127.0.0.1", port: 80 }
const listener = (fd: unknown) => ({ name: "tcp 127.0.0.1:80", fd, address })

describe("what a process was told of its predecessor", () => {
  const junk: ReadonlyArray<readonly [name: string, text: string]> = [
    ["text", "yes"],
    ["a number", "1"],
    ["null", "null"],
    ["a list", "[]"],
    ["an object of something else", JSON.stringify({ fds: [3] })],
    ["half of it", JSON.stringify({ predecessor: process.ppid, channel: 3, listeners: [listener(4)] }).slice(0, -9)],
    ["no list of listeners", JSON.stringify({ predecessor: process.ppid, channel: 3, listeners: 4 })],
    ["a listener without a name", JSON.stringify({ predecessor: 1, channel: 3, listeners: [{ fd: 4, address }] })],
    [
      "a listener without an address",
      JSON.stringify({ predecessor: 1, channel: 3, listeners: [{ name: "a", fd: 4 }] })
    ],
    ["a descriptor that is text", JSON.stringify({ predecessor: 1, channel: 3, listeners: [listener("4")] })],
    ["a descriptor below zero", JSON.stringify({ predecessor: 1, channel: 3, listeners: [listener(-1)] })],
    ["standard input", JSON.stringify({ predecessor: 1, channel: 0, listeners: [listener(4)] })],
    ["a predecessor that is none", JSON.stringify({ predecessor: "init", channel: 3, listeners: [] })]
  ]
  it.each(junk)("is refused where it is %s", async (_, text) => {
    expect((await started(text)).how).toMatchObject({ _tag: "HandoffFailed", reason: "Malformed" })
  })

  it("is nothing where it is empty", async () => {
    expect(await started("")).toEqual({ how: "started", lines: [] })
  })

  it("is refused where its parent has passed no sockets", async () => {
    const text = JSON.stringify({ predecessor: process.ppid, channel: file(), listeners: [listener(file())] })
    const { how } = await started(text)
    expect(how).toMatchObject({ _tag: "HandoffFailed", reason: "NoSocket" })
    expect(String(how)).toMatch(/Descriptor \d+, which process \d+ has passed to this one, is no socket/)
    const closed = JSON.stringify({ predecessor: process.ppid, channel: 987_654, listeners: [listener(987_655)] })
    expect((await started(closed)).how).toMatchObject({ _tag: "HandoffFailed", reason: "NoSocket" })
  })

  it("is refused where a socket is another one than was passed", async () => {
    const server = Net.createServer()
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
    const { _handle: { fd } } = server as unknown as { readonly _handle: { readonly fd: number } }
    const other = { ...listener(fd), socket: "8:1" }
    const { how } = await started(JSON.stringify({ predecessor: process.ppid, channel: fd, listeners: [other] }))
    expect(how).toMatchObject({ _tag: "HandoffFailed", reason: "NoSocket" })
    expect(String(how)).toContain("is not the listening socket \"tcp 127.0.0.1:80\"")
    expect(server.listening).toBe(true)
    server.close()
  })

  it.runIf(process.platform === "linux")("is refused where a socket listens to nobody", async () => {
    const server = Net.createServer()
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
    const client = Net.connect(portOf(server), "127.0.0.1")
    await new Promise((resolve) => client.once("connect", resolve))
    const { _handle: { fd } } = client as unknown as { readonly _handle: { readonly fd: number } }
    const { how } = await started(JSON.stringify({ predecessor: process.ppid, channel: fd, listeners: [listener(fd)] }))
    expect(how).toMatchObject({ _tag: "HandoffFailed", reason: "NoSocket" })
    client.destroy()
    server.close()
  })

  it("is not for one that has only inherited the environment: it starts by itself, and says so", async () => {
    const text = JSON.stringify({ predecessor: 1, channel: file(), listeners: [listener(file())] })
    const { how, lines } = await started(text)
    expect(how).toBe("started")
    expect(lines.join("\n")).toContain("QUIESCE_HANDOFF was made for another process")
  })
})
