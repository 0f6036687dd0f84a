import { type ChildProcess, fork } from "node:child_process"
import { fileURLToPath } from "node:url"
import { describe, expect, it } from "vitest"
import { nodeArgs } from "../../support/bundle.js"
import { startLimit } from "../../support/child.js"
import { get } from "../../support/httpRequests.js"
import { withClient } from "../../support/rawClient.js"
import { codeOfInterrupted } from "../../support/runMain.js"
import { waitFor } from "../../support/wait.js"
import type { Options } from "./fixtures/app.js"
import { body, fixture, limit, plain } from "./supervisedApp.js"

// What PM2 says to a process, and what it waits for, over a channel like PM2's.

interface Forked {
  readonly child: ChildProcess
  readonly out: () => string
  readonly messages: ReadonlyArray<unknown>
  readonly ended: Promise<number | NodeJS.Signals | null>
}

const withFork = async (
  options: Options,
  use: (forked: Forked) => Promise<void>,
  program = fixture
): Promise<void> => {
  const args = nodeArgs(program)
  const child = fork(args.at(-1)!, [JSON.stringify(options)], {
    execArgv: args.slice(0, -1),
    stdio: ["ignore", "pipe", "pipe", "ipc"]
  })
  let out = ""
  const messages: Array<unknown> = []
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding("utf8").on("data", (text: string) => {
      out += text
    })
  }
  child.on("message", (message) => messages.push(message))
  const ended = new Promise<number | NodeJS.Signals | null>((resolve) => {
    child.once("close", (code, signal) => resolve(code ?? signal))
  })
  try {
    await use({ child, out: () => out, messages, ended })
  } finally {
    child.kill("SIGKILL")
    await ended
  }
}

const find = (pattern: RegExp, { out }: Forked) =>
  waitFor(() => `${String(pattern)} in: ${out()}`, () => pattern.exec(out()), startLimit)

describe("PM2", () => {
  for (const launch of ["layer", "signals", "runFork"] as const) {
    it(
      `the process is ready, and "shutdown" drains it: ${launch}`,
      { timeout: 120_000 },
      () =>
        withFork({ pm2: true, launch }, async (forked) => {
          const { child, ended, messages, out } = forked
          await waitFor(() => `"ready": ${out()}`, () => messages.length > 0, startLimit)
          expect(messages).toEqual(["ready"])
          const port = Number((await find(/"port":(\d+)/, forked))[1])
          await withClient({ port }, async (client) => {
            await client.write(get("/slow"))
            await find(/"request"/, forked)
            child.send("something else")
            child.send("shutdown")
            await find(/Shutting down/, forked)
            process.kill(child.pid!, "SIGUSR2")
            expect(await body(client)).toBe("whole")
          })
          const code = await waitFor(() => `the end: ${out()}`, ended, limit)
          expect(code).toBe(launch === "layer" ? codeOfInterrupted : 0)
          expect(out()).toContain("(Drained)")
          expect(/"event":"report".*"outcome":"Drained"/.test(out())).toBe(launch !== "layer")
          expect(messages).toEqual(["ready"])
        })
    )
  }

  it(
    "the process is ready, and \"shutdown\" drains it: quiesce/promise",
    { timeout: 120_000 },
    () =>
      withFork({}, async (forked) => {
        const { child, ended, messages, out } = forked
        const port = Number((await find(/"port":(\d+)/, forked))[1])
        expect(messages).toEqual([])
        child.kill("SIGUSR1")
        await waitFor(() => `"ready": ${out()}`, () => messages.length > 0, startLimit)
        await withClient({ port }, async (client) => {
          await client.write(get("/slow"))
          await find(/"request"/, forked)
          child.send("shutdown")
          await find(/Shutting down/, forked)
          process.kill(child.pid!, "SIGUSR2")
          expect(await body(client)).toBe("whole")
        })
        expect(await waitFor(() => `the end: ${out()}`, ended, limit)).toBe(0)
        expect(out()).toContain("(Drained)")
        expect(messages).toEqual(["ready"])
      }, plain)
  )

  it(
    "a message from another parent means nothing without it",
    { timeout: 120_000 },
    () =>
      withFork({}, async (forked) => {
        const port = Number((await find(/"port":(\d+)/, forked))[1])
        forked.child.send("shutdown")
        await withClient({ port }, async (client) => {
          await client.write(get("/"))
          expect(await body(client)).toMatch(/^hello/)
        })
        expect(forked.messages).toEqual([])
        forked.child.kill("SIGTERM")
        expect(await waitFor(() => `the end: ${forked.out()}`, forked.ended, limit)).toBe(codeOfInterrupted)
      })
  )
})

describe("PM2 and quiesce/register", () => {
  const program = fileURLToPath(new URL("../register/fixtures/program.cjs", import.meta.url))
  const register = nodeArgs(new URL("../../../src/register.ts", import.meta.url)).at(-1)!

  const withProgram = async (
    env: NodeJS.ProcessEnv,
    use: (
      child: ChildProcess,
      out: () => string,
      ended: Promise<unknown>,
      messages: ReadonlyArray<unknown>
    ) => Promise<void>
  ): Promise<void> => {
    const child = fork(program, [], {
      env: { ...process.env, ...env },
      execArgv: ["--import", register],
      stdio: ["pipe", "pipe", "inherit", "ipc"]
    })
    let out = ""
    child.stdout?.setEncoding("utf8").on("data", (text: string) => {
      out += text
    })
    const messages: Array<unknown> = []
    child.on("message", (message) => messages.push(message))
    const ended = new Promise<unknown>((resolve) => {
      child.once("close", (code, signal) => resolve(code ?? signal))
    })
    try {
      await use(child, () => out, ended, messages)
    } finally {
      child.kill("SIGKILL")
      await ended
    }
  }

  it(
    "the message \"shutdown\" drains a program that knows nothing of it",
    { timeout: 120_000 },
    () =>
      withProgram({ pm_id: "0" }, async (child, out, ended, messages) => {
        const [, port] = await waitFor(() => `the port in: ${out()}`, () => /"port":(\d+)/.exec(out()), startLimit)
        await withClient({ port: Number(port) }, async (client) => {
          await client.write(get("/slow"))
          await waitFor(() => `the request in: ${out()}`, () => /"request"/.test(out()), limit)
          child.send("something else")
          child.send("shutdown")
          await waitFor(() => `the signal in: ${out()}`, () => /SIGINT: shutting down/.test(out()), startLimit)
          child.stdin?.write("release\n")
          expect(await body(client)).toBe("whole")
        })
        expect(await waitFor(() => `the end: ${out()}`, ended, limit)).toBe(0)
        expect(out()).toContain("(Drained)")
        expect(messages).toEqual([])
      })
  )

  it(
    "with `wait_ready`, PM2 is told once that the program listens",
    { timeout: 120_000 },
    () =>
      withProgram({ pm_id: "0", wait_ready: "true" }, async (child, out, ended, messages) => {
        await waitFor(() => `"ready" after: ${out()}`, () => messages.length > 0, startLimit)
        expect(out()).toMatch(/"port":(\d+)/)
        child.kill("SIGINT")
        expect(await waitFor(() => `the end: ${out()}`, ended, limit)).toBe(0)
        expect(messages).toEqual(["ready"])
      })
  )

  for (
    const [what, env] of [["SHUTDOWN_NOTIFY", { SHUTDOWN_NOTIFY: "off" }], ["QUIESCE", { QUIESCE: "off" }]] as const
  ) {
    it(
      `it is not told with ${what}=off`,
      { timeout: 120_000 },
      () =>
        withProgram({ pm_id: "0", wait_ready: "true", ...env }, async (child, out, ended, messages) => {
          const [, port] = await waitFor(() => `the port in: ${out()}`, () => /"port":(\d+)/.exec(out()), startLimit)
          await withClient({ port: Number(port) }, async (client) => {
            await client.write(get("/"))
            expect(await body(client)).toBe("ok")
          })
          child.kill("SIGINT")
          await waitFor(() => `the end: ${out()}`, ended, limit)
          expect(messages).toEqual([])
        })
    )
  }

  it(
    "and means nothing to one whose parent is another",
    { timeout: 120_000 },
    () =>
      withProgram({}, async (child, out) => {
        const [, port] = await waitFor(() => `the port in: ${out()}`, () => /"port":(\d+)/.exec(out()), startLimit)
        child.send("shutdown")
        await withClient({ port: Number(port) }, async (client) => {
          await client.write(get("/"))
          expect(await body(client)).toBe("ok")
        })
        expect(out()).not.toContain("shutting down")
      })
  )
})
