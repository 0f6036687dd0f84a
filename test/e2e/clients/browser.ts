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
const startLimit = 60_000

/** What assistive technology is given of an element. */
export interface AccessibleNode {
  readonly role: string
  readonly name: string
}

export interface Page {
  /** The value of an expression, awaited, as JSON carries it. */
  readonly evaluate: (expression: string) => Effect.Effect<unknown>
  /** A command of the DevTools protocol, to the page. */
  readonly call: (method: string, params?: object) => Effect.Effect<Result>
  /** What the console of the page says that is wrong: errors, warnings, what nobody has caught, what did not load. */
  readonly complaints: () => ReadonlyArray<string>
  /** What a screen reader reads, in its order; what has no name and no content is left out. */
  readonly accessible: Effect.Effect<ReadonlyArray<AccessibleNode>>
  /** The whole page, as PNG. */
  readonly screenshot: Effect.Effect<Buffer>
}

export interface OpenOptions {
  /** Of the window, in CSS pixels. */
  readonly width?: number
  readonly dark?: boolean
  readonly javascript?: boolean
}

/** Opens a page in a browser of its own, which is gone when the test is over. */
export const open = (url: string, options: OpenOptions = {}): Effect.Effect<Page, never, Scope.Scope> =>
  Effect.gen(function*() {
    const profile = yield* Effect.acquireRelease(
      Effect.sync(() => mkdtempSync(join(tmpdir(), "chromium-"))),
      (profile) => Effect.sync(() => rmSync(profile, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 }))
    )
    const { call, events } = yield* Effect.acquireRelease(
      Effect.sync(() => launch(profile)),
      ({ close }) => Effect.promise(close)
    )
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
    const ofPage = (method: string, params: object = {}) => call(method, params, String(sessionId))
    for (const domain of ["Runtime", "Log", "Page", "Accessibility"]) yield* ofPage(`${domain}.enable`)
    yield* emulate(ofPage, options)
    yield* ofPage("Page.navigate", { url })
    // a page that loads itself again may do so before it has been seen to be complete
    yield* Effect.catchAllDefect(
      evaluate("document.readyState === 'complete' || new Promise((resolve) => addEventListener('load', resolve))"),
      (defect) => String(defect).includes("navigated or closed") ? Effect.void : Effect.die(defect)
    )
    return {
      evaluate,
      call: ofPage,
      complaints: () => events().flatMap(complaintOf),
      accessible: Effect.map(ofPage("Accessibility.getFullAXTree"), accessibleNodes),
      screenshot: Effect.gen(function*() {
        const { cssContentSize } = yield* ofPage("Page.getLayoutMetrics")
        const { height, width } = cssContentSize as { readonly height: number; readonly width: number }
        const { data } = yield* ofPage("Page.captureScreenshot", {
          captureBeyondViewport: true,
          clip: { x: 0, y: 0, width, height, scale: 1 }
        })
        return Buffer.from(String(data), "base64")
      })
    }
  })

const emulate = (
  call: Page["call"],
  { dark = false, javascript = true, width }: OpenOptions
): Effect.Effect<void> =>
  Effect.gen(function*() {
    if (width !== undefined) {
      const mobile = width < 600
      yield* call("Emulation.setDeviceMetricsOverride", { width, height: 800, deviceScaleFactor: 1, mobile })
    }
    const value = dark ? "dark" : "light"
    yield* call("Emulation.setEmulatedMedia", { features: [{ name: "prefers-color-scheme", value }] })
    yield* call("Emulation.setScriptExecutionDisabled", { value: !javascript })
  })

const complaintOf = ({ method, params }: Event): ReadonlyArray<string> => {
  const said = JSON.stringify(params)
  if (method === "Runtime.exceptionThrown") return [said]
  if (method === "Runtime.consoleAPICalled") return ["error", "warning"].includes(String(params["type"])) ? [said] : []
  if (method !== "Log.entryAdded") return []
  const { level } = params["entry"] as { readonly level: string }
  return ["error", "warning"].includes(level) ? [said] : []
}

interface AXValue {
  readonly value?: string
}

interface AXNode {
  readonly nodeId: string
  readonly childIds?: ReadonlyArray<string>
  readonly ignored: boolean
  readonly role?: AXValue
  readonly name?: AXValue
}

/** The nodes come in any order; their children are in that of the document. */
const accessibleNodes = ({ nodes }: Result): ReadonlyArray<AccessibleNode> => {
  const all = nodes as ReadonlyArray<AXNode>
  const byId = new Map(all.map((node) => [node.nodeId, node]))
  const below = (node: AXNode): ReadonlyArray<AccessibleNode> => {
    const own = { role: node.role?.value ?? "", name: node.name?.value ?? "" }
    const isTold = !node.ignored && own.role !== "InlineTextBox" && own.name !== ""
    const children = (node.childIds ?? []).map((id) => byId.get(id)).filter((child) => child !== undefined)
    return [...(isTold ? [own] : []), ...children.flatMap(below)]
  }
  const [root] = all
  return root === undefined ? [] : below(root)
}

type Result = { readonly [key: string]: unknown }

interface Event {
  readonly method: string
  readonly params: Result
}

interface Message extends Partial<Event> {
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
  const events: Array<Event> = []
  let lastId = 0
  let rest = ""
  answers.setEncoding("utf8")
  answers.on("data", (text: string) => {
    const pieces = (rest + text).split("\0")
    rest = pieces.pop() ?? ""
    for (const piece of pieces) {
      const { error, id, method, params, result } = JSON.parse(piece) as Message
      if (method !== undefined && params !== undefined) events.push({ method, params })
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
    events: (): ReadonlyArray<Event> => events,
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
