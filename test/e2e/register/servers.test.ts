import { once } from "node:events"
import * as Fs from "node:fs"
import * as Http2 from "node:http2"
import * as Https from "node:https"
import * as Net from "node:net"
import * as Os from "node:os"
import * as Path from "node:path"
import { text } from "node:stream/consumers"
import * as Tls from "node:tls"
import { describe, expect, it } from "vitest"
import { type Child, untilLogged, withChild } from "../../support/child.js"
import { get } from "../../support/httpRequests.js"
import { withClient } from "../../support/rawClient.js"
import { waitFor } from "../../support/wait.js"
import { answer, limit, register, release, whole, withProgram, withRequest } from "./registered.js"

// Pins internal/node: inheritedListen

// Whatever a program that was not written for it listens with is drained, whoever has made it and however.

/** Asks for /slow, and returns what comes of it. */
const ask: Readonly<Record<string, (port: number) => Promise<string>>> = {
  https: (port) =>
    new Promise((resolve, reject) => {
      Https.get({ port, host: "127.0.0.1", path: "/slow", rejectUnauthorized: false, agent: false }, (response) =>
        resolve(text(response))).on("error", reject)
    }),
  h2c: (port) => overHttp2(`http://127.0.0.1:${port}`),
  h2: (port) => overHttp2(`https://127.0.0.1:${port}`),
  net: (port) => aLine(Net.connect(port, "127.0.0.1")),
  tls: (port) => aLine(Tls.connect({ port, host: "127.0.0.1", rejectUnauthorized: false }))
}

const overHttp2 = async (authority: string): Promise<string> => {
  const session = Http2.connect(authority, { rejectUnauthorized: false })
  await once(session, "connect")
  const answered = await text(session.request({ ":path": "/slow" }))
  session.destroy()
  return answered
}

const aLine = (socket: Net.Socket): Promise<string> => {
  socket.write("a line\n")
  return text(socket)
}

describe.concurrent("a request in flight is answered in full, and the process exits 0", { timeout: 90_000 }, () => {
  for (const kind of ["http", "new http.Server"]) {
    it(`of a script: ${kind}`, () =>
      withRequest({ servers: [kind], alive: true }, async (child, client) => {
        child.signal("SIGTERM")
        await untilLogged(child, "Shutting down: draining for up to 8s; 1 connection open (1 Active)")
        release(child)
        expect(await answer(client)).toEqual(whole)
        expect(await child.exit(limit)).toMatchObject({ code: 0, signal: null })
      }))
  }

  for (const [kind, asked] of Object.entries(ask)) {
    it(`of a script: ${kind}`, () =>
      withProgram({ servers: [kind], alive: true }, async (child) => {
        const { port } = await child.line("listening", limit)
        const answered = asked(port as number)
        await child.line("request", limit)
        child.signal("SIGINT")
        await untilLogged(child, "Shutting down: draining for up to 8s")
        release(child)
        expect(await waitFor("the answer", answered, limit)).toBe("whole")
        expect(await child.exit(limit)).toMatchObject({ code: 0, signal: null })
      }))
  }

  for (
    const [name, fixture, execArgv] of [
      ["an ES module", "program.mjs", register],
      ["TypeScript, by a loader that comes before", "typed.ts", ["--import", "tsx", ...register]],
      ["TypeScript, by a loader that comes after", "typed.ts", [...register, "--import", "tsx"]]
    ] as const
  ) {
    it(`of ${name}`, () =>
      withChild(new URL(`fixtures/${fixture}`, import.meta.url), [], async (child) => {
        await withClient(await child.listening(), async (client) => {
          await client.write(get("/slow"))
          await child.line("request", limit)
          child.signal("SIGTERM")
          await untilLogged(child, "Shutting down: draining for up to 8s")
          release(child)
          expect(await answer(client)).toEqual(whole)
          expect(await child.exit(limit)).toMatchObject({ code: 0, signal: null })
        })
      }, { asItStands: true, execArgv }))
  }

  it("of each of several servers", () =>
    withRequest({ servers: ["http", "http", "net"] }, async (child, client) => {
      await child.line("listening", limit, 3)
      await withClient(await child.listening(limit, 2), async (second) => {
        await second.write(get("/slow"))
        await child.line("request", limit, 2)
        child.signal("SIGTERM")
        await untilLogged(child, "1 connection open (1 Active)", 2)
        release(child)
        expect(await Promise.all([answer(client), answer(second)])).toEqual([whole, whole])
        expect(await child.exit(limit)).toMatchObject({ code: 0, signal: null })
      })
    }))

  it("where it was the first, and came before what drains it had been loaded", () =>
    withProgram({}, async (child) => {
      const target = await child.listening()
      await withClient(target, async (client) => {
        await client.write(get("/slow"))
        child.signal("SIGTERM")
        await untilLogged(child, "SIGTERM: shutting down")
        await child.line("request", limit)
        release(child)
        expect(await answer(client)).toEqual(whole)
        expect(await child.exit(limit)).toMatchObject({ code: 0, signal: null })
      })
    }))
})

describe.concurrent("when the program closes a server", { timeout: 90_000 }, () => {
  const askToClose = async (child: Child) =>
    withClient(await child.listening(), async (client) => {
      await client.write(get("/close"))
      await client.untilResponses(1, limit)
    })
  const close = async (child: Child) => {
    await askToClose(child)
    await child.line("closed", limit)
  }

  for (const reopens of ["the same", "another"] as const) {
    it(`and ${reopens} listens, that is drained`, () =>
      withProgram({ reopens }, async (child) => {
        await close(child)
        await withClient(await child.listening(limit, 2), async (client) => {
          await client.write(get("/slow"))
          await child.line("request", limit)
          child.signal("SIGTERM")
          await untilLogged(child, "SIGTERM: shutting down")
          release(child)
          expect(await answer(client)).toEqual(whole)
          expect(await child.exit(limit)).toMatchObject({ code: 0, signal: null })
        })
      }))
  }

  it("and no other is open, a signal is what it would be without us", () =>
    withProgram({}, async (child) => {
      await close(child)
      await child.line("unheard", limit)
      child.signal("SIGTERM")
      expect(await child.exit(limit)).toMatchObject({ code: null, signal: "SIGTERM" })
    }))

  const short = {
    env: { SHUTDOWN_LAME_DUCK: "1 minute", SHUTDOWN_TIMEOUT: "50 millis", SHUTDOWN_KILL_TIMEOUT: "50 millis" }
  }

  it("nothing bounds what is in flight on it, as nothing did without us", () =>
    withRequest({ handlers: ["exits"] }, async (child, client) => {
      await askToClose(child)
      await untilLogged(child, "Shutting down: draining, no deadline; 2 connections open")
      // said after a second, and so after the deadline of a shutdown
      await untilLogged(child, /Draining: waiting for 1 connection \(1 Active\); GET \/slow/)
      release(child)
      expect(await answer(client)).toEqual(whole)
      await child.line("closed", limit)
    }, short))

  it("a signal bounds what is in flight on it", () =>
    withRequest({}, async (child, client) => {
      await askToClose(child)
      await untilLogged(child, /Draining: waiting for 1 connection \(1 Active\); GET \/slow/)
      child.signal("SIGTERM")
      expect(await child.exit(limit)).toMatchObject({ code: 1, signal: null })
      expect(await client.untilEnded(limit)).not.toBe("open")
      expect(child.stdout()).toContain("(DeadlineExceeded)")
    }, short))

  it("what is in flight on it is awaited, and what others owe as well, when a signal comes", () =>
    withRequest({ servers: ["http", "http"] }, async (child, client) => {
      await askToClose(child)
      await withClient(await child.listening(limit, 2), async (second) => {
        await second.write(get("/slow"))
        await child.line("request", limit, 2)
        child.signal("SIGTERM")
        await untilLogged(child, "SIGTERM: shutting down")
        release(child)
        expect(await Promise.all([answer(client), answer(second)])).toEqual([whole, whole])
        expect(await child.exit(limit)).toMatchObject({ code: 0, signal: null })
      })
    }))
})

describe.concurrent("nothing is changed", { timeout: 90_000 }, () => {
  const dies = { code: null, signal: "SIGTERM" }

  it("for a process that listens with nothing", () =>
    withProgram({ listens: false, alive: true }, async (child) => {
      expect(await child.line("started", limit)).toMatchObject({ listeners: 0 })
      child.signal("SIGTERM")
      expect(await child.exit(limit)).toMatchObject(dies)
      expect(child.stdout()).not.toContain("INFO")
    }))

  it("for one that only looks for a free port", () =>
    withProgram({ listens: false, probes: true }, async (child) => {
      expect(await child.line("probed", limit)).toMatchObject({ listeners: 0 })
      child.signal("SIGTERM")
      expect(await child.exit(limit)).toMatchObject(dies)
    }))

  it("for one that listens on a path, and speaks no HTTP", () =>
    withFolder((folder) =>
      withProgram({ servers: ["net"], where: { path: Path.join(folder, "socket") } }, async (child) => {
        await child.listening()
        child.signal("SIGTERM")
        expect(await child.exit(limit)).toMatchObject(dies)
      })
    ))

  it("for a signal that comes as it begins to listen: on a path", () =>
    withFolder((folder) =>
      withProgram(
        { servers: ["net"], where: { path: Path.join(folder, "socket") }, stopsItself: true },
        async (child) => {
          expect(await child.exit(limit)).toMatchObject(dies)
        }
      )
    ))

  it("for a signal that comes as it begins to listen: to find a free port", () =>
    withProgram({ listens: false, probes: true, stopsItself: true }, async (child) => {
      expect(await child.exit(limit)).toMatchObject(dies)
    }))

  it("with QUIESCE=off", () =>
    withRequest({}, async (child, client) => {
      child.signal("SIGTERM")
      expect(await child.exit(limit)).toMatchObject(dies)
      expect(await client.untilEnded(limit)).not.toBe("open")
      expect(client.bytes).toBe(0)
    }, { env: { QUIESCE: "off" } }))
})

it(
  "one that speaks HTTP on a path is drained",
  { timeout: 90_000 },
  () =>
    withFolder((folder) =>
      withRequest({ where: { path: Path.join(folder, "socket") } }, async (child, client) => {
        child.signal("SIGTERM")
        await untilLogged(child, "Shutting down: draining for up to 8s; 1 connection open (1 Active)")
        release(child)
        expect(await answer(client)).toEqual(whole)
        expect(await child.exit(limit)).toMatchObject({ code: 0, signal: null })
      })
    )
)

const withFolder = async (use: (folder: string) => Promise<void>): Promise<void> => {
  const folder = Fs.mkdtempSync(Path.join(Os.tmpdir(), "register-"))
  try {
    await use(folder)
  } finally {
    Fs.rmSync(folder, { recursive: true })
  }
}
