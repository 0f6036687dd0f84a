import { describe, expect, it } from "vitest"
import { saysClose } from "../../support/httpResponses.js"
import { exitsWhenInterrupted } from "../../support/runMain.js"
import { answer, limit, processEnd, release, untilPhase, withApp, withRequest } from "./signalledApp.js"

// The first signal: whatever stops the program, in good order, and with the right exit code.

describe.concurrent("the first signal", { timeout: 60_000 }, () => {
  for (
    const [launch, ...signals] of [
      ["layer", "SIGTERM", "SIGINT", "SIGQUIT"],
      ["server", "SIGTERM", "SIGQUIT"],
      ["raced", "SIGQUIT"],
      ["runFork", "SIGTERM"]
    ] as const
  ) {
    for (const signal of signals) {
      it(
        `${signal} drains, releases what the app uses, and the exit code is 0 (${launch})`,
        withRequest("/slow", { launch }, async (child, client) => {
          child.signal(signal)
          await untilPhase(child, "Draining")
          expect(child.linesOf("finalizing")).toEqual([])
          release(child)
          const response = await answer(client)
          expect(response).toMatchObject({ status: 200, complete: true })
          expect(saysClose(response)).toBe(true)
          expect(await processEnd(child)).toEqual({
            code: 0,
            outcome: "Drained",
            released: ["above", "below"],
            clean: true,
            // `runMain` calls `process.exit` after a signal of its own
            byItself: launch === "runFork" || (signal === "SIGQUIT" && (launch === "server" || !exitsWhenInterrupted))
          })
          // a launch that is not all that goes on is interrupted with the rest
          expect(child.linesOf("launched")).toMatchObject(launch === "server" ? [{ outcome: "Drained" }] : [])
        })
      )
    }
  }

  for (const launch of ["layer", "server"] as const) {
    for (const signal of ["SIGTERM", "SIGQUIT"] as const) {
      it(
        `exits with 1 when a request was cut at the deadline (${launch}, ${signal})`,
        withRequest(
          "/slow",
          { launch, teardown: true, policy: { timeout: 300, killTimeout: 100 } },
          async (child, client) => {
            child.signal(signal)
            expect(await answer(client)).toMatchObject({ status: 503 })
            expect(await processEnd(child)).toMatchObject({
              code: 1,
              outcome: "DeadlineExceeded",
              released: ["above", "below"],
              clean: true
            })
            expect(child.stdout()).toMatch(/GET \/slow/)
          }
        )
      )
    }
  }

  it(
    "leaves the signals alone that it was not asked to handle, but for what `runMain` does with them",
    withRequest("/slow", { launch: "server", signals: ["SIGHUP"] }, async (child, client) => {
      child.signal("SIGTERM")
      await untilPhase(child, "Draining")
      release(child)
      expect(await answer(client)).toMatchObject({ status: 200, complete: true })
      expect(await processEnd(child)).toMatchObject({ code: 0, outcome: "Drained", released: ["above", "below"] })
      expect(child.linesOf("launched")).toEqual([])
    })
  )

  it(
    "can be any that a process can listen for",
    withRequest("/slow", { launch: "server", signals: ["SIGHUP"] }, async (child, client) => {
      child.signal("SIGHUP")
      await untilPhase(child, "Draining")
      release(child)
      expect(await answer(client)).toMatchObject({ status: 200, complete: true })
      expect(await processEnd(child)).toMatchObject({ code: 0, outcome: "Drained", byItself: true })
      expect(child.linesOf("launched")).toHaveLength(1)
    })
  )

  it(
    "joins a shutdown that a request has started, and cuts nothing",
    withRequest("/stop", { policy: { lameDuck: 100 } }, async (child, client) => {
      await untilPhase(child, "Draining")
      child.signal("SIGTERM")
      await child.line("hook", limit)
      release(child)
      expect(await answer(client)).toMatchObject({ status: 200, complete: true })
      expect(await processEnd(child)).toMatchObject({ code: 0, outcome: "Drained", released: ["above", "below"] })
    })
  )

  it(
    "is one shutdown where several come at once",
    withRequest("/slow", { launch: "server" }, async (child, client) => {
      child.signal("SIGTERM")
      child.signal("SIGTERM")
      await untilPhase(child, "Draining")
      release(child)
      expect(await answer(client)).toMatchObject({ status: 200, complete: true })
      expect(await processEnd(child)).toMatchObject({ code: 0, outcome: "Drained", released: ["above", "below"] })
      expect(child.linesOf("hook")).toHaveLength(1)
    })
  )
})

describe.concurrent("a program that does not start", { timeout: 60_000 }, () => {
  it(
    "exits with 1 when its port is in use",
    withApp({}, async (first) => {
      const target = await first.listening()
      const port = "port" in target ? target.port : 0
      await withApp({ port, teardown: true }, async (child) => {
        expect(await processEnd(child)).toMatchObject({ code: 1, released: ["below"], clean: true })
        expect(child.stdout()).toMatch(new RegExp(`Cannot listen with port ${port}`))
      })()
      first.signal("SIGTERM")
      expect(await processEnd(first)).toMatchObject({ code: 0 })
    })
  )

  it(
    "exits with 1 when the policy is invalid",
    withApp({ policy: { timeout: -1 }, teardown: true }, async (child) => {
      expect(await processEnd(child)).toMatchObject({ code: 1, released: ["below"], clean: true })
      expect(child.stdout()).toContain("timeout is -1")
    })
  )

  it(
    "exits with 1, before it begins, when a signal is none",
    withApp({ signals: ["SIGKILL"], teardown: true }, async (child) => {
      expect(await processEnd(child)).toMatchObject({ code: 1, released: [], clean: true })
      expect(child.linesOf("built")).toEqual([])
      expect(child.stdout()).toContain(`signals is "SIGKILL", and must be a list of signals`)
    })
  )
})

describe.concurrent("a finalizer that fails after the drain", { timeout: 60_000 }, () => {
  for (const launch of ["layer", "server"] as const) {
    it(
      `is in the log, once, and the exit code is 1 (${launch})`,
      withApp({ launch, fails: true, teardown: true }, async (child) => {
        await child.listening()
        child.signal("SIGTERM")
        expect(await processEnd(child)).toMatchObject({ code: 1, outcome: "Drained", released: ["above", "below"] })
        expect((child.stdout() + child.stderr()).split("the pool is gone")).toHaveLength(2)
      })
    )
  }

  for (const launch of ["layer", "merged", "server"] as const) {
    it(
      `is there also without handle, by teardown (${launch})`,
      withApp({ launch, teardown: true, unhandled: true, fails: true, json: true }, async (child) => {
        await child.listening()
        child.signal("SIGTERM")
        expect((await processEnd(child)).code).toBe(1)
        const said = child.stdout().split("\n").filter((line) => line.includes("the pool is gone"))
        expect(said.map((line) => String((JSON.parse(line) as { readonly message: unknown }).message)))
          .toEqual(["Failed after the shutdown"])
      })
    )
  }

  it(
    "is missed under stock runMain, and the log says so",
    withApp({ unhandled: true, fails: true, json: true }, async (child) => {
      await child.listening()
      child.signal("SIGTERM")
      expect((await processEnd(child)).code).toBe(1)
      expect(child.stdout()).toContain("If a finalizer has failed, `runMain` does not say so")
    })
  )

  it(
    "is said by runMain alone where nothing has interrupted the program",
    withRequest(
      "/stop",
      { launch: "server", teardown: true, unhandled: true, fails: true, json: true },
      async (child) => {
        release(child)
        expect((await processEnd(child)).code).toBe(1)
        expect(child.stdout().split("the pool is gone")).toHaveLength(2)
      }
    )
  )
})
