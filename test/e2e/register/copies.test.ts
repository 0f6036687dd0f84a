import * as Fs from "node:fs"
import * as Os from "node:os"
import * as Path from "node:path"
import { pathToFileURL } from "node:url"
import { describe, expect, it } from "vitest"
import { timesLogged, untilLogged, withChild } from "../../support/child.js"
import { get } from "../../support/httpRequests.js"
import { withClient } from "../../support/rawClient.js"
import { answer, limit, register, release, whole, withRequest } from "./registered.js"

// This package may be there twice, and reaches processes that are no servers.

const once = (child: Parameters<typeof timesLogged>[0]) => ({
  signal: timesLogged(child, "SIGTERM: shutting down"),
  begun: timesLogged(child, "Shutting down: "),
  ended: timesLogged(child, "Shut down in ")
})

describe.concurrent("a request is answered, and one shutdown is logged", { timeout: 90_000 }, () => {
  it("where the program gives its server to a copy of its own", () =>
    withChild(new URL("fixtures/ownCopy.ts", import.meta.url), [], async (child) => {
      await withClient(await child.listening(), async (client) => {
        await client.write(get("/slow"))
        await child.line("request", limit)
        child.signal("SIGTERM")
        await untilLogged(child, "Shutting down: draining for up to")
        // its admin listener is not drained with it
        const { port } = await child.line("admin", limit)
        expect((await fetch(`http://127.0.0.1:${Number(port)}/livez`)).status).toBe(200)
        release(child)
        expect(await answer(client)).toEqual(whole)
        expect(await child.exit(limit)).toMatchObject({ code: 0, signal: null })
        expect(once(child)).toEqual({ signal: 1, begun: 1, ended: 1 })
        expect(child.stdout()).not.toContain("WARN")
      })
    }, { execArgv: register }))

  it("where two copies of quiesce/register are loaded", async () => {
    const folder = Fs.mkdtempSync(Path.join(Os.tmpdir(), "register-"))
    try {
      const copy = Path.join(folder, "register.mjs")
      Fs.copyFileSync(register[1]!, copy)
      await withRequest({}, async (child, client) => {
        child.signal("SIGTERM")
        await untilLogged(child, "Shutting down: draining for up to")
        release(child)
        expect(await answer(client)).toEqual(whole)
        expect(await child.exit(limit)).toMatchObject({ code: 0, signal: null })
        expect(once(child)).toEqual({ signal: 1, begun: 1, ended: 1 })
      }, { execArgv: [...register, "--import", pathToFileURL(copy).href] })
    } finally {
      Fs.rmSync(folder, { recursive: true })
    }
  })
})

it(
  "a child process that is no server ends by the signal, as before",
  { timeout: 90_000 },
  () =>
    withChild(new URL("fixtures/withChild.mjs", import.meta.url), [], async (child) => {
      await child.listening()
      release(child)
      expect(await child.line("child ended", limit)).toMatchObject({ code: null, signal: "SIGTERM" })
      child.signal("SIGTERM")
      expect(await child.exit(limit)).toMatchObject({ code: 0, signal: null })
    }, { asItStands: true, env: { NODE_OPTIONS: register.join(" ") } })
)
