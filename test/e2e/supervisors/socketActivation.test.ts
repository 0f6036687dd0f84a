import { assert, describe, it as effectIt } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { existsSync, mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterEach, expect, it, vi } from "vitest"
import { Systemd } from "../../../src/index.js"
import { type Child, startLimit } from "../../support/child.js"
import { describeWith } from "../../support/describeWith.js"
import { get } from "../../support/httpRequests.js"
import { python, systemdActivate, type Under } from "../../support/program.js"
import { connect, type RawClient, withClient } from "../../support/rawClient.js"
import { codeOfInterrupted } from "../../support/runMain.js"
import { pace, waitFor } from "../../support/wait.js"
import { body, likeSystemd, limit, withApp } from "./supervisedApp.js"

const activated = (path: string, name: string): Under => ({
  program: systemdActivate,
  args: [`--listen=${path}`, `--fdname=${name}`]
})

/** Its file is there before anybody may connect: that comes with `bind`, and a client that is quick is refused. */
const accepts = (child: Child) => waitFor("the socket", () => child.stderr().includes("Listening on"), limit)

const hello = async (client: RawClient): Promise<number> => {
  await client.write(get("/"))
  const text = (await client.untilResponses(1, startLimit)).responses[0]!.body.toString()
  return Number(/^hello from (\d+)$/.exec(text)?.[1])
}

describeWith(systemdActivate, () => {
  it("the first client starts the service, and is answered", { timeout: 120_000 }, async () => {
    const folder = mkdtempSync(join(tmpdir(), "activate-"))
    const path = join(folder, "app.sock")
    const under = activated(path, "http")
    try {
      await withApp({ socket: "http" }, { under }, async (child) => {
        await accepts(child)
        await pace(300)
        expect(child.stdout()).toBe("")
        await withClient({ path }, async (client) => {
          expect(await hello(client)).toBe(child.pid)
        })
        child.signal("SIGTERM")
        expect(await child.exit(limit)).toMatchObject({ code: codeOfInterrupted })
      })
      // it is systemd's, and stays
      expect(existsSync(path)).toBe(true)
    } finally {
      rmSync(folder, { recursive: true })
    }
  })

  it("a name that was not passed fails, and says which were", { timeout: 120_000 }, async () => {
    const folder = mkdtempSync(join(tmpdir(), "activate-"))
    const path = join(folder, "app.sock")
    const under = activated(path, "admin")
    try {
      await withApp({ socket: "http" }, { under }, async (child) => {
        await accepts(child)
        await withClient({ path }, async () => {
          expect(await child.exit(startLimit)).toMatchObject({ code: 1 })
          expect(child.stdout() + child.stderr()).toContain(`none is named "http", but "admin"`)
        })
      })
    } finally {
      rmSync(folder, { recursive: true })
    }
  })
})

describeWith(python, () => {
  it("a client that comes while the service drains waits for its successor", { timeout: 90_000 }, () =>
    withApp(
      { socket: "http" },
      { under: likeSystemd("--socket", "http", "--descriptor", "--times", "2") },
      async (child) => {
        const port = Number((await child.line("bound", limit))["port"])
        await child.listening()
        const first = Number(child.linesOf("started")[0]?.["pid"])
        await withClient({ port }, async (slow) => {
          await slow.write(get("/slow"))
          await child.line("request", limit)
          child.signal("SIGTERM")
          await waitFor("draining", () => /Shutting down/.test(child.stdout()), limit)
          // once it no longer accepts, who comes is nobody's yet
          const late = await untilUnanswered(port, first)
          try {
            process.kill(first, "SIGUSR2")
            expect(await body(slow)).toBe("whole")
            await child.line("ended", limit)
            await child.listening(startLimit, 2)
            const second = Number(child.linesOf("started")[1]?.["pid"])
            const text = (await late.untilResponses(1, limit)).responses[0]!.body.toString()
            expect(text).toBe(`hello from ${second}`)
            expect(second).not.toBe(first)
          } finally {
            late.leave()
          }
        })
        child.signal("SIGTERM")
        expect(await child.exit(limit)).toMatchObject({ code: codeOfInterrupted })
        expect(child.linesOf("ended").map(({ code }) => code)).toEqual([codeOfInterrupted, codeOfInterrupted])
      }
    ))
})

/** A client that was not refused, and not answered either. */
const untilUnanswered = async (port: number, by: number): Promise<RawClient> => {
  while (true) {
    const client = await connect({ port })
    expect(client.ending).toBe("open")
    await client.write(get("/"))
    await pace(500)
    if (client.bytes === 0) return client
    expect(await body(client)).toBe(`hello from ${by}`)
    client.leave()
  }
}

describe("what was passed", () => {
  const variables = ["LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES"] as const
  const passed = (...values: ReadonlyArray<string | undefined>) =>
    variables.forEach((name, n) => vi.stubEnv(name, values[n]))
  const own = String(process.pid)
  afterEach(() => {
    vi.unstubAllEnvs()
  })

  effectIt.effect("the sockets have the descriptors from 3 on, and their names", () => {
    passed("3", own, "http:notify:admin")
    return Effect.gen(function*() {
      assert.deepStrictEqual(yield* Systemd.sockets, [{ fd: 3, name: "http" }, { fd: 5, name: "admin" }])
      assert.deepStrictEqual(yield* Systemd.socket("admin"), { fd: 5 })
      assert.deepStrictEqual(yield* Systemd.socket(), { fd: 3 })
    })
  })

  effectIt.effect("without names they are unknown, as sd_listen_fds_with_names has it", () => {
    passed("1", own, undefined)
    return Effect.gen(function*() {
      assert.deepStrictEqual(yield* Systemd.sockets, [{ fd: 3, name: "unknown" }])
    })
  })

  const failures = [
    ["nothing was passed", [undefined, undefined], "Absent", "LISTEN_FDS and LISTEN_PID are not set"],
    ["none was", ["0", own], "Absent", "LISTEN_FDS counts none"],
    ["only the descriptor of notifications was", ["1", own, "notify"], "Absent", "LISTEN_FDS counts none"],
    ["it is for another process", ["1", "1"], "OtherProcess", `LISTEN_PID is 1, and this is ${own}`],
    ["the number is none", ["one", own], "Malformed", `LISTEN_FDS is "one"`],
    ["the process is none", ["1", "me"], "Malformed", `LISTEN_PID is "me"`],
    ["none has that name", ["1", own, "admin"], "NotFound", `none is named "http", but "admin"`]
  ] as const
  for (const [what, values, reason, message] of failures) {
    effectIt.effect(`${what}: ${reason}`, () => {
      passed(...values)
      return Effect.gen(function*() {
        const error = yield* Effect.flip(Systemd.socket("http"))
        assert.instanceOf(error, Systemd.NotActivated)
        assert.strictEqual(error.reason, reason)
        assert.include(error.message, message)
      })
    })
  }
})
