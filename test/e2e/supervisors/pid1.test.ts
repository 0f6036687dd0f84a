import { readFileSync } from "node:fs"
import { expect, it } from "vitest"
import { untilLogged, withChild } from "../../support/child.js"
import { describeWith } from "../../support/describeWith.js"
import { afterDuplicateWindow } from "../../support/duplicateWindow.js"
import { get } from "../../support/httpRequests.js"
import { underInit, unshare } from "../../support/program.js"
import { withClient } from "../../support/rawClient.js"
import { codeOfInterrupted } from "../../support/runMain.js"
import { waitFor } from "../../support/wait.js"
import { body, limit, withApp } from "./supervisedApp.js"

// As in a container: the process is the init of its own namespace, and gets its signals from outside.

const under = underInit

const childOf = (pid: number): number | undefined => {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim()
  return children === "" ? undefined : Number(children.split(" ")[0])
}

describeWith(unshare, () => {
  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    for (const launch of ["layer", "signals"] as const) {
      it(
        `${signal} drains the process: ${launch}`,
        { timeout: 120_000 },
        () =>
          withApp({ launch }, { under }, async (child) => {
            const target = await child.listening()
            expect(child.linesOf("listening")[0]?.["pid"]).toBe(1)
            const outside = await waitFor("its number outside", () => childOf(child.pid), limit)
            await withClient(target, async (client) => {
              await client.write(get("/slow"))
              await child.line("request", limit)
              process.kill(outside, signal)
              await waitFor(
                () => `the shutdown: ${child.stdout()}`,
                () => child.stdout().includes("Shutting down"),
                limit
              )
              process.kill(outside, "SIGUSR2")
              expect(await body(client)).toBe("whole")
            })
            expect(await child.exit(limit)).toMatchObject({ code: launch === "layer" ? codeOfInterrupted : 0 })
            expect(child.stdout()).toContain("(Drained)")
          })
      )
    }
  }

  it(
    "a further signal than the one that cuts ends it, too, where a finalizer hangs",
    { timeout: 120_000 },
    () =>
      withChild(
        new URL("../signals/fixtures/app.ts", import.meta.url),
        [JSON.stringify({ finalizer: true })],
        async (child) => {
          await child.listening()
          const outside = await waitFor("its number outside", () => childOf(child.pid), limit)
          process.kill(outside, "SIGTERM")
          await child.line("finalizing", limit)
          await afterDuplicateWindow({ pid: outside })
          process.kill(outside, "SIGTERM")
          await untilLogged(child, "one more ends the process")
          await afterDuplicateWindow({ pid: outside })
          process.kill(outside, "SIGTERM")
          expect(await child.exit(limit)).toMatchObject({ code: 143 })
        },
        { under }
      )
  )
}, { name: "as PID 1" })
