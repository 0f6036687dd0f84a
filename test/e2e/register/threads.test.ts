import { describe, expect, it } from "vitest"
import { type Child, type StartOptions, timesLogged, untilLogged, withChild } from "../../support/child.js"
import { afterDuplicateWindow } from "../../support/duplicateWindow.js"
import { get } from "../../support/httpRequests.js"
import { type RawClient, withClient } from "../../support/rawClient.js"
import { answer, limit, register, release, whole } from "./registered.js"

// Pins internal/node: isInternalThread

// No signal arrives in a worker thread: the main thread tells it.

const program = new URL("fixtures/threads.cjs", import.meta.url)

interface Options {
  /** The main thread has a server of its own. */
  readonly main?: boolean
  readonly threads?: number
  /** The threads start one more each, which listens; they do not. */
  readonly nested?: boolean
  /** The event loop of the main thread stands still for so long when the first has started, in milliseconds. */
  readonly busy?: number
  /** They do not listen, or only to find a free port. */
  readonly idle?: boolean | "probes"
  readonly unref?: boolean
  /** The main thread ends the process with 3 on SIGTERM. */
  readonly handler?: boolean
  readonly reports?: boolean
  /** Of `Worker`. */
  readonly worker?: object
}

const withThreads = (
  options: Options,
  use: (child: Child) => Promise<void>,
  { env, execArgv = register, ...start }: StartOptions = {}
) => withChild(program, [JSON.stringify(options)], use, { asItStands: true, execArgv, env: { ...env }, ...start })

/** With a client whose request is in flight in each of `servers`. */
const withRequests = (
  servers: number,
  options: Options,
  use: (child: Child, clients: ReadonlyArray<RawClient>) => Promise<void>,
  start?: StartOptions
) =>
  withThreads(options, async (child) => {
    const next = async (clients: ReadonlyArray<RawClient>): Promise<void> => {
      if (clients.length === servers) return use(child, clients)
      await withClient(await child.listening(limit, clients.length + 1), async (client) => {
        await client.write(get("/slow"))
        await child.line("request", limit, clients.length + 1)
        await next([...clients, client])
      })
    }
    await next([])
  }, start)

const draining = "Shutting down: draining for up to 8s; 1 connection open (1 Active)"

describe.concurrent("a request in flight in a worker thread", { timeout: 90_000 }, () => {
  it("is answered in full, and the process exits 0; the program's messages are its own", () =>
    withRequests(1, { reports: true }, async (child, [client]) => {
      child.signal("SIGTERM")
      await untilLogged(child, draining)
      release(child)
      expect(await answer(client!)).toEqual(whole)
      expect(await child.exit(limit)).toMatchObject({ code: 0, signal: null })
      expect(child.stdout()).toMatch(
        /Shut down in .* \(Drained\): 1 request answered since it began \[thread 1 of \d+\]/
      )
      expect(timesLogged(child, "SIGTERM: shutting down")).toBe(1)
      expect(child.stdout()).not.toContain("WARN")
      expect([...child.linesOf("message"), ...child.linesOf("heard in a thread")]).toEqual([])
    }))

  it("and those of the main thread, and of other threads, are all awaited", () =>
    withRequests(3, { main: true, threads: 2 }, async (child, clients) => {
      child.signal("SIGINT")
      await untilLogged(child, draining, 3)
      release(child)
      expect(await Promise.all(clients.map(answer))).toEqual([whole, whole, whole])
      expect(await child.exit(limit)).toMatchObject({ code: 0, signal: null })
    }))

  it("is answered in a thread that a thread has started, and in one that keeps nothing alive", () =>
    withRequests(2, { main: true, nested: true, unref: true }, async (child, [main, nested]) => {
      child.signal("SIGTERM")
      await untilLogged(child, draining, 2)
      release(child)
      expect(await Promise.all([answer(main!), answer(nested!)])).toEqual([whole, whole])
      expect(await child.exit(limit)).toMatchObject({ code: 0, signal: null })
    }))

  it("is answered before the program's own listener for the signal runs", () =>
    withRequests(1, { handler: true }, async (child, [client]) => {
      child.signal("SIGTERM")
      await untilLogged(child, draining)
      expect(child.linesOf("handler")).toEqual([])
      release(child)
      expect(await answer(client!)).toEqual(whole)
      expect(await child.exit(limit)).toMatchObject({ code: 3, signal: null })
      expect(child.linesOf("handler")).toHaveLength(1)
    }))

  it("is answered where the signal comes before what drains it had been loaded", () =>
    withThreads({}, async (child) => {
      await withClient(await child.listening(), async (client) => {
        await client.write(get("/slow"))
        child.signal("SIGTERM")
        await untilLogged(child, "SIGTERM: shutting down")
        await child.line("request", limit)
        release(child)
        expect(await answer(client)).toEqual(whole)
        expect(await child.exit(limit)).toMatchObject({ code: 0, signal: null })
      })
    }))

  it("is answered where the main thread was busy as the thread began to listen", () =>
    withThreads({ busy: 700 }, async (child) => {
      await withClient(await child.listening(), async (client) => {
        child.signal("SIGTERM")
        await client.write(get("/slow"))
        await child.line("request", limit)
        release(child)
        expect(await answer(client)).toEqual(whole)
        expect(await child.exit(limit)).toMatchObject({ code: 0, signal: null })
      })
    }))

  it("is cut at the deadline, and the process exits 1", () =>
    withRequests(1, {}, async (child, [client]) => {
      child.signal("SIGTERM")
      expect(await child.exit(limit)).toMatchObject({ code: 1, signal: null })
      expect(await client!.untilEnded(limit)).not.toBe("open")
      expect(child.stdout()).toContain("(DeadlineExceeded)")
    }, { env: { SHUTDOWN_TIMEOUT: "100", SHUTDOWN_KILL_TIMEOUT: "100" } }))

  it("has its lame duck ended by the second signal, and is cut by the third", () =>
    withRequests(1, {}, async (child) => {
      child.signal("SIGTERM")
      await untilLogged(child, "serving on for 1m")
      await afterDuplicateWindow(child)
      child.signal("SIGTERM")
      await untilLogged(child, "Another SIGTERM: draining at once")
      await untilLogged(child, "Draining: waiting for 1 connection")
      await afterDuplicateWindow(child)
      child.signal("SIGTERM")
      await untilLogged(child, "Another SIGTERM: closing at once")
      expect(await child.exit(limit)).toMatchObject({ code: 143, signal: null })
    }, { env: { SHUTDOWN_LAME_DUCK: "1 minute", SHUTDOWN_TIMEOUT: "infinity" } }))
})

describe.concurrent("a worker thread", { timeout: 90_000 }, () => {
  it("that ends in the middle of a drain is said, and the process exits 1", () =>
    withRequests(1, {}, async (child) => {
      child.signal("SIGTERM")
      await untilLogged(child, draining)
      child.write("exit\n")
      expect(await child.exit(limit)).toMatchObject({ code: 1, signal: null })
      expect(child.linesOf("thread ended")).toMatchObject([{ code: 7 }])
      expect(child.stdout()).toContain("ERROR")
      expect(child.stdout()).toMatch(/Worker thread 1 has not drained its servers: .* What they owed is cut/)
    }))

  it("whose event loop is blocked is not awaited for ever", () =>
    withRequests(1, {}, async (child) => {
      child.write("block\n")
      await child.line("blocked", limit)
      child.signal("SIGTERM")
      expect(await child.exit(limit)).toMatchObject({ code: 1, signal: null })
      expect(child.stdout()).toMatch(/Worker thread 1 has not drained its servers: .* What they owed is cut/)
    }, { env: { SHUTDOWN_TIMEOUT: "100", SHUTDOWN_KILL_TIMEOUT: "100" } }))

  it("serves while the event loop of the main thread is blocked", () =>
    withThreads({ busy: 600_000 }, async (child) => {
      await withClient(await child.listening(), async (client) => {
        await client.write(get("/"))
        await client.untilResponses(1, limit)
      })
    }))

  it("that was started without quiesce/register is named, and what the others owe is answered", () =>
    withRequests(2, { main: true, worker: { execArgv: [] } }, async (child, [main, thread]) => {
      child.signal("SIGTERM")
      await untilLogged(child, /WARN.*Worker thread \d+: quiesce\/register is not loaded there/)
      release(child)
      expect(await answer(main!)).toEqual(whole)
      expect(await child.exit(limit)).toMatchObject({ code: 0, signal: null })
      expect(await thread!.untilEnded(limit)).not.toBe("open")
    }))

  it("of Node's own, in which hooks of node:module run, is not", () =>
    withRequests(1, { main: true, idle: true }, async (child, [main]) => {
      await child.line("idle", limit)
      child.signal("SIGTERM")
      await untilLogged(child, draining)
      release(child)
      expect(await answer(main!)).toEqual(whole)
      expect(await child.exit(limit)).toMatchObject({ code: 0, signal: null })
      expect(child.stdout()).not.toContain("WARN")
    }, { execArgv: [...register, "--import", "tsx"] }))

  for (const idle of [true, "probes"] as const) {
    it(`that has no server changes nothing${idle === true ? "" : ", also where it looks for a free port"}`, () =>
      withThreads({ idle }, async (child) => {
        await child.line("idle", limit)
        child.write("look\n")
        await child.line("unheard", limit)
        child.signal("SIGTERM")
        expect(await child.exit(limit)).toMatchObject({ code: null, signal: "SIGTERM" })
        expect(child.stdout()).not.toContain("INFO")
      }))
  }

  it("that has closed its server is as it would be without us", () =>
    withThreads({}, async (child) => {
      await withClient(await child.listening(), async (client) => {
        await client.write(get("/"))
        await client.untilResponses(1, limit)
      })
      child.write("close\n")
      await child.line("closed", limit)
      await child.line("unheard", limit)
      child.signal("SIGTERM")
      expect(await child.exit(limit)).toMatchObject({ code: null, signal: "SIGTERM" })
    }))

  it("whose environment says what cannot be is the end of the program, before it has served anybody", () =>
    withThreads({}, async (child) => {
      expect(await child.exit(limit)).toMatchObject({ code: 1, signal: null })
      expect(child.stderr()).toMatch(/^quiesce\/register: .*SHUTDOWN_TIMEOUT.*"soon".* is not a duration/)
    }, { env: { SHUTDOWN_TIMEOUT: "soon" } }))
})
