import { describe, expect, it } from "vitest"
import { type Child, startLimit, withChild } from "../../support/child.js"
import { describeWith } from "../../support/describeWith.js"
import { get } from "../../support/httpRequests.js"
import { python, systemdNotify } from "../../support/program.js"
import { withClient } from "../../support/rawClient.js"
import { waitFor } from "../../support/wait.js"
import { answer, limit, program, register, release, whole } from "../register/registered.js"
import { likeSystemd } from "./supervisedApp.js"

// What quiesce/register tells systemd of a program that tells nothing, at a datagram socket that is real.

type State = Readonly<Record<string, string>>

const states = (child: Child): ReadonlyArray<State> => child.linesOf("notified").map(({ state }) => state as State)

const untilTold = (child: Child, what: string, is: (state: State) => boolean) =>
  waitFor(() => `${what}: ${child.stdout()}${child.stderr()}`, () => states(child).find((state) => is(state)), limit)

const isReady = ({ READY }: State) => READY === "1"

interface Start {
  readonly env?: Readonly<Record<string, string | undefined>>
  readonly fixture?: URL
  readonly how?: ReadonlyArray<string>
}

/** `systemd.py` says of none of its processes that systemd has started it, as systemd does. */
const supervised = (
  options: object,
  use: (child: Child) => Promise<void>,
  { env, fixture = program, how = ["--descriptor", "--path", "/nowhere"] }: Start = {}
) =>
  withChild(fixture, [JSON.stringify(options)], use, {
    asItStands: true,
    execArgv: register,
    env: { SYSTEMD_EXEC_PID: undefined, ...env },
    under: likeSystemd(...how)
  })

describeWith(python, () => {
  describe("quiesce/register and systemd", { timeout: 120_000 }, () => {
    it("says READY=1 once when the first server listens, and STOPPING=1 with what is waited for", () =>
      supervised({ servers: ["http", "http"] }, async (child) => {
        const target = await child.listening()
        await child.listening(startLimit, 2)
        await untilTold(child, "READY", isReady)
        expect(states(child)).toEqual([{ READY: "1", STATUS: "Serving" }])
        await withClient(target, async (client) => {
          await client.write(get("/slow"))
          await child.line("request", limit)
          child.signal("SIGTERM")
          const stopping = await untilTold(child, "STOPPING", ({ STOPPING }) => STOPPING === "1")
          expect(stopping["EXTEND_TIMEOUT_USEC"]).toBe("30000000")
          await untilTold(
            child,
            "what is waited for",
            ({ STATUS }) =>
              /^Draining, .* left: 1 connection \(1 Active\); 1 request in flight, the oldest GET \/slow from /
                .test(STATUS ?? "")
          )
          release(child)
          expect(await answer(client)).toEqual(whole)
        })
        await untilTold(child, "the end", ({ STATUS }) => /^Shut down in .* \(Drained\)$/.test(STATUS ?? ""))
        expect(await child.exit(limit)).toMatchObject({ code: 0 })
        const told = states(child)
        expect(told.filter(isReady)).toHaveLength(1)
        expect(told.filter(({ STOPPING }) => STOPPING === "1")).toHaveLength(1)
      }))

    it("says nothing of a program in which nothing listens", () =>
      supervised({ listens: false, alive: true }, async (child) => {
        // that of `systemd.py` comes before
        await child.line("started", startLimit, 2)
        child.signal("SIGTERM")
        await child.exit(limit)
        expect(states(child)).toEqual([])
      }))

    for (
      const [what, env] of [
        ["SHUTDOWN_NOTIFY=false", { SHUTDOWN_NOTIFY: "false" }],
        ["QUIESCE=off", { QUIESCE: "off" }],
        ["another main process of the service", { SYSTEMD_EXEC_PID: "1" }]
      ] as const
    ) {
      it(`says nothing with ${what}`, () =>
        supervised({}, async (child) => {
          await withClient(await child.listening(), async (client) => {
            await client.write(get("/"))
            expect((await answer(client)).body).toBe("ok")
          })
          child.signal("SIGTERM")
          await child.exit(limit)
          expect(states(child)).toEqual([])
        }, { env }))
    }
  })
})

describeWith(systemdNotify, () => {
  it(
    "the workers of a cluster say that they listen, and not that the service stops",
    { timeout: 120_000 },
    () =>
      supervised({}, async (child) => {
        await child.line("listening", startLimit, 2)
        await waitFor(() => `READY twice: ${child.stdout()}`, () => states(child).length === 2, limit)
        child.signal("SIGTERM")
        expect(await child.exit(limit)).toMatchObject({ code: 0 })
        expect(child.stdout().match(/Shut down in/g)).toHaveLength(2)
        expect(states(child)).toEqual([{ READY: "1", STATUS: "Serving" }, { READY: "1", STATUS: "Serving" }])
      }, { fixture: new URL("../register/fixtures/workers.cjs", import.meta.url), how: [] })
  )
})
