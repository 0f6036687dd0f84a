import { describe, expect, it } from "vitest"
import { untilLogged } from "../../support/child.js"
import { afterDuplicateWindow } from "../../support/duplicateWindow.js"
import { pace } from "../../support/wait.js"
import { answer, limit, processEnd, release, untilPhase, withApp, withRequest } from "./signalledApp.js"

// The signals after the first one, in every phase of the shutdown.

const minute = { timeout: "1 minute", killTimeout: "1 minute" } as const

describe.concurrent("a further signal", { timeout: 60_000 }, () => {
  it(
    "ends a lame duck, which is no failure; one more cuts what is open",
    withRequest("/slow", { policy: { ...minute, lameDuck: "1 minute" }, teardown: true }, async (child, client) => {
      child.signal("SIGTERM")
      await untilPhase(child, "LameDuck")
      await afterDuplicateWindow(child)
      child.signal("SIGTERM")
      await untilPhase(child, "Draining")
      await child.line("hook", limit)
      await afterDuplicateWindow(child)
      child.signal("SIGTERM")
      expect(await answer(client)).toMatchObject({ status: 503 })
      expect(await processEnd(child)).toMatchObject({
        code: 143,
        outcome: "Closed",
        released: ["above", "below"],
        clean: true
      })
    })
  )

  it(
    "is annotated, like every line of ours",
    withRequest(
      "/slow",
      { policy: { ...minute, lameDuck: "1 minute" }, teardown: true, json: true },
      async (child, client) => {
        child.signal("SIGTERM")
        await untilPhase(child, "LameDuck")
        await afterDuplicateWindow(child)
        child.signal("SIGINT")
        await untilPhase(child, "Draining")
        await afterDuplicateWindow(child)
        child.signal("SIGQUIT")
        expect(await answer(client)).toMatchObject({ status: 503 })
        await processEnd(child)
        const lines = child.stdout().split("\n").filter((line) => line.includes(`"annotations"`)).map((line) =>
          JSON.parse(line) as { readonly message: string; readonly annotations: Readonly<Record<string, unknown>> }
        )
        const annotated = (message: RegExp) => lines.find((line) => message.test(line.message))?.annotations["quiesce"]
        expect(annotated(/^SIGTERM: shutting down$/)).toEqual({
          event: "SignalReceived",
          signal: "SIGTERM",
          action: "ShutDown"
        })
        expect(annotated(/^Another SIGINT: draining/)).toMatchObject({ signal: "SIGINT", action: "Drain" })
        expect(annotated(/^Another SIGQUIT: closing/)).toMatchObject({ signal: "SIGQUIT", action: "Close" })
        const events = lines.map(({ annotations, message }) => [
          message,
          (annotations["quiesce"] as { readonly event?: string } | undefined)?.event
        ])
        expect(events.filter(([, event]) => event === undefined)).toEqual([])
      }
    )
  )

  it(
    "that ended a lame duck leaves the exit code alone",
    withRequest("/slow", { policy: { ...minute, lameDuck: "1 minute" }, teardown: true }, async (child, client) => {
      child.signal("SIGTERM")
      await untilPhase(child, "LameDuck")
      await afterDuplicateWindow(child)
      child.signal("SIGINT")
      await untilPhase(child, "Draining")
      release(child)
      expect(await answer(client)).toMatchObject({ status: 200, complete: true })
      expect(await processEnd(child)).toMatchObject({ code: 0, outcome: "Drained", released: ["above", "below"] })
    })
  )

  for (
    const [launch, teardown, signal, code] of [
      ["layer", true, "SIGTERM", 143],
      ["layer", true, "SIGQUIT", 131],
      ["layer", false, "SIGINT", 1],
      ["server", true, "SIGINT", 130],
      ["server", false, "SIGQUIT", 1]
    ] as const
  ) {
    const how = teardown ? "with the teardown" : "under stock runMain"
    it(
      `cuts what drains, finalizers run, and the exit code is ${code} (${launch}, ${signal}, ${how})`,
      withRequest("/slow", { launch, teardown, policy: minute }, async (child, client) => {
        child.signal(signal)
        await child.line("hook", limit)
        await afterDuplicateWindow(child)
        child.signal(signal)
        expect(await answer(client)).toMatchObject({ status: 503 })
        expect(await processEnd(child)).toEqual({
          code,
          outcome: "Closed",
          released: ["above", "below"],
          clean: true,
          byItself: false
        })
        expect(child.linesOf("launched")).toMatchObject(launch === "server" ? [{ outcome: "Closed" }] : [])
        expect(child.stdout()).toMatch(new RegExp(`Another ${signal}: closing at once`))
      })
    )
  }

  it(
    "may be another one, which the exit code then names",
    withRequest("/slow", { policy: minute, teardown: true }, async (child) => {
      child.signal("SIGTERM")
      await child.line("hook", limit)
      await afterDuplicateWindow(child)
      child.signal("SIGINT")
      expect(await processEnd(child)).toMatchObject({ code: 130, outcome: "Closed", released: ["above", "below"] })
    })
  )

  it(
    "ends the wait for a handler that ignores its interruption after the deadline",
    withRequest("/deaf", { policy: { timeout: 100, killTimeout: "1 minute" }, teardown: true }, async (child) => {
      child.signal("SIGTERM")
      await child.line("interrupted", limit)
      await afterDuplicateWindow(child)
      child.signal("SIGTERM")
      await untilLogged(child, "closing at once")
      // a close gives handlers what is left of their `killTimeout`
      expect(child.linesOf("finalizing")).toEqual([])
      release(child)
      expect(await processEnd(child)).toMatchObject({
        code: 143,
        outcome: "Closed",
        released: ["above", "below"],
        clean: true
      })
    })
  )

  it(
    "ends a hook that runs",
    withRequest("/", { policy: minute, hook: true, teardown: true }, async (child, client) => {
      await answer(client)
      child.signal("SIGTERM")
      await child.line("hook", limit)
      await afterDuplicateWindow(child)
      child.signal("SIGTERM")
      expect(await processEnd(child)).toMatchObject({ code: 143, outcome: "Closed", released: ["above", "below"] })
    })
  )

  for (const launch of ["layer", "server"] as const) {
    it(
      `changes nothing while other finalizers run after a clean drain (${launch})`,
      withApp({ launch, finalizer: true, teardown: true }, async (child) => {
        await child.listening()
        child.signal("SIGTERM")
        await child.line("finalizing", limit)
        await afterDuplicateWindow(child)
        child.signal("SIGTERM")
        await untilLogged(child, "no server is open")
        release(child)
        expect(await processEnd(child)).toMatchObject({
          code: 0,
          outcome: "Drained",
          released: ["above", "below"],
          clean: true
        })
      })
    )
  }

  it(
    "interrupts what a program still does after its launch",
    withApp({ launch: "server", after: true, teardown: true }, async (child) => {
      await child.listening()
      child.signal("SIGQUIT")
      await child.line("launched", limit)
      await afterDuplicateWindow(child)
      child.signal("SIGQUIT")
      expect(await processEnd(child)).toMatchObject({ code: 0, released: ["above", "below"], clean: true })
    })
  )

  it(
    "after that ends the process, where a finalizer hangs",
    withRequest("/slow", { policy: minute, finalizer: true, teardown: true }, async (child) => {
      child.signal("SIGTERM")
      await child.line("hook", limit)
      await afterDuplicateWindow(child)
      child.signal("SIGTERM")
      await child.line("finalizing", limit)
      await afterDuplicateWindow(child)
      child.signal("SIGTERM")
      expect(await processEnd(child)).toMatchObject({ code: "SIGTERM", outcome: "Closed", released: ["above"] })
    })
  )

  it(
    "is none where npm says a Ctrl-C twice, the first time and the second",
    withRequest("/slow", { policy: minute, finalizer: true, teardown: true }, async (child) => {
      child.signal("SIGINT")
      await pace(90)
      child.signal("SIGINT")
      await child.line("hook", limit)
      await afterDuplicateWindow(child)
      expect(child.linesOf("finalizing")).toEqual([])
      child.signal("SIGINT")
      await pace(90)
      child.signal("SIGINT")
      await child.line("finalizing", limit)
      release(child)
      expect(await processEnd(child)).toMatchObject({ code: 130, outcome: "Closed", released: ["above", "below"] })
    })
  )
})

describe.concurrent("a duplicate", { timeout: 60_000 }, () => {
  it(
    "is one where it came in time, and the process could not read it until later",
    withRequest("/slow", { policy: minute, busy: true, teardown: true }, async (child, client) => {
      child.signal("SIGTERM")
      await child.line("blocked", limit)
      child.signal("SIGINT")
      await child.line("hook", limit)
      await afterDuplicateWindow(child)
      release(child)
      expect(await answer(client)).toMatchObject({ status: 200, complete: true })
      expect(await processEnd(child)).toMatchObject({ code: 0, outcome: "Drained", released: ["above", "below"] })
    })
  )
})

describe.concurrent("a signal during start-up", { timeout: 60_000 }, () => {
  for (const signal of ["SIGTERM", "SIGQUIT"] as const) {
    it(
      `stops the program before it listens (${signal})`,
      withApp({ slow: "below", teardown: true }, async (child) => {
        await child.line("building", limit)
        child.signal(signal)
        expect(await processEnd(child)).toMatchObject({ code: 0, released: ["below"], clean: true })
        expect(child.linesOf("listening")).toEqual([])
      })
    )

    it(
      `drains the server when layers above it are still being built (${signal})`,
      withRequest("/slow", { slow: "above", launch: "server", teardown: true }, async (child, client) => {
        child.signal(signal)
        await untilPhase(child, "Draining")
        release(child)
        expect(await answer(client)).toMatchObject({ status: 200, complete: true })
        expect(await processEnd(child)).toMatchObject({
          code: 0,
          outcome: "Drained",
          released: ["above", "below"],
          clean: true
        })
      })
    )
  }

  it(
    "waits for what cannot be interrupted, and a second one does not end the process",
    withApp({ slow: "below, uninterruptible", teardown: true }, async (child) => {
      await child.line("building", limit)
      child.signal("SIGTERM")
      await afterDuplicateWindow(child)
      child.signal("SIGTERM")
      await untilLogged(child, "Another SIGTERM: no server is open")
      release(child)
      expect(await processEnd(child)).toMatchObject({ code: 0, released: ["below"], clean: true })
      expect(child.linesOf("listening")).toEqual([])
    })
  )
})
