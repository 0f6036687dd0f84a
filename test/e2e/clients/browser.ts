/** Chromium without a window, driven over the DevTools protocol on two pipes: JSON, with a zero byte after each. */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { chromium, start } from "../../support/program.js"
import { type Deferred, deferred, waitFor, within } from "../../support/wait.js"

/** The least that makes it run in a container, as root, and keep to itself. */
const flags = [
  "--headless=new",
  "--no-sandbox",
  "--disable-gpu",
  "--disable-dev-shm-usage",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  "--no-first-run",
  "--no-proxy-server",
  "--ignore-certificate-errors",
  "--remote-debugging-pipe"
]

/** On a busy machine of two cores, with a cold cache. */
const startLimit = 30_000

export interface Page {
  /** The value of an expression, awaited, as JSON carries it. */
  readonly evaluate: (expression: string) => Effect.Effect<unknown>
}

/** Opens a page in a browser of its own, which is gone when the test is over. */
export const open = (url: string): Effect.Effect<Page, never, Scope.Scope> =>
  Effect.gen(function*() {
    const profile = yield* Effect.acquireRelease(
      Effect.sync(() => mkdtempSync(join(tmpdir(), "chromium-"))),
      (profile) => Effect.sync(() => rmSync(profile, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 }))
    )
    const { call } = yield* Effect.acquireRelease(Effect.sync(() => launch(profile)), ({ close }) =>
      Effect.promise(close))
    const { targetId } = yield* call("Target.createTarget", { url: "about:blank" })
    const { sessionId } = yield* call("Target.attachToTarget", { targetId, flatten: true })
    const evaluate = (expression: string) =>
      Effect.flatMap(
        call("Runtime.evaluate", { expression, awaitPromise: true, returnByValue: true }, String(sessionId)),
        ({ exceptionDetails, result }) =>
          exceptionDetails === undefined
            ? Effect.succeed((result as { readonly value?: unknown }).value)
            : Effect.dieMessage(JSON.stringify(exceptionDetails))
      )
    yield* call("Page.navigate", { url }, String(sessionId))
    yield* evaluate("document.readyState === 'complete' || new Promise((resolve) => addEventListener('load', resolve))")
    return { evaluate }
  })

type Result = { readonly [key: string]: unknown }

interface Message {
  /** Absent where it is an event. */
  readonly id?: number
  readonly result?: Result
  readonly error?: { readonly message: string }
}

const launch = (profile: string) => {
  const { child, kill, ran, stderr } = start(chromium, [...flags, `--user-data-dir=${profile}`, "about:blank"], {
    pipes: 2
  })
  const commands = child.stdio[3] as NodeJS.WritableStream
  const answers = child.stdio[4] as NodeJS.ReadableStream
  const asked = new Map<number, Deferred<Result>>()
  let lastId = 0
  let rest = ""
  answers.setEncoding("utf8")
  answers.on("data", (text: string) => {
    const pieces = (rest + text).split("\0")
    rest = pieces.pop() ?? ""
    for (const piece of pieces) {
      const { error, id, result } = JSON.parse(piece) as Message
      if (id === undefined) continue
      if (error === undefined) asked.get(id)?.resolve(result ?? {})
      else asked.get(id)?.reject(new Error(error.message))
      asked.delete(id)
    }
  })
  // it may be gone by now; then nothing answers
  commands.on("error", () => {})
  const send = (method: string, params: object, sessionId?: string): Promise<Result> => {
    const answer = deferred<Result>()
    asked.set(++lastId, answer)
    commands.write(`${JSON.stringify({ id: lastId, method, params, sessionId })}\0`)
    return answer.promise
  }
  return {
    call: (method: string, params: object, sessionId?: string): Effect.Effect<Result> =>
      Effect.promise(() =>
        waitFor(
          () => `Chromium to answer ${method}; it has said: ${stderr().slice(-2000)}`,
          send(method, params, sessionId),
          startLimit
        )
      ),
    /** It has processes of its own, which it takes with it where it is asked. */
    close: async () => {
      send("Browser.close", {}).catch(() => {})
      if ((await within(ran(startLimit), 5000)) === undefined) await kill()
    }
  }
}
