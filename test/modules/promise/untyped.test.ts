/** What programs without types may pass. */
import * as Http from "node:http"
import { expect, it } from "vitest"
import { InvalidPolicy, launchWorkers, type Options, quiesce } from "../../../src/promise.js"

const refused = (f: () => unknown): InvalidPolicy => {
  try {
    f()
  } catch (error) {
    expect(error).toBeInstanceOf(InvalidPolicy)
    if (error instanceof InvalidPolicy) return error
  }
  throw new Error("it was taken")
}

const cases: ReadonlyArray<readonly [options: unknown, field: string, message: RegExp]> = [
  [
    { timout: 5000 },
    "timout",
    /^timout is 5000, and must be left out, as there is no such option: did you mean "timeout"\? There is timeout, /
  ],
  [{ signal: true }, "signal", /: did you mean "signals"\? There is signals, /],
  [
    { onShutDown: () => {} },
    "onShutDown",
    /^onShutDown is a function, .*: did you mean "onShutdown"\? There is onShutdown, /
  ],
  [null, "options", /^options is null, and must be an object of options/],
  ["8 seconds", "options", /^options is "8 seconds", /],
  [8000, "options", /^options is 8000, /],
  [[], "options", /^options is \[\], /],
  [{ finally: "later" }, "finally", /^finally is "later", and must be a function$/],
  [{ finally: null }, "finally", /^finally is null, /],
  [{ onShutdown: Promise.resolve() }, "onShutdown", /^onShutdown is .*, and must be a function$/],
  [{ logger: true }, "logger", /^logger is true, and must be false, or a function/],
  [{ logger: console }, "logger", /^logger is .{1,250}, and must be false, or a function.* => console\[level\]/s],
  [{ signals: null }, "signals", /^signals is null, and must be true, false, or a list/],
  [{ uncaught: "drain" }, "uncaught", /^uncaught is "drain", and must be true, or false$/],
  [{ timeout: null }, "timeout", /^timeout is null, /],
  [{ admin: { port: 0, actions: 1 } }, "admin.actions", /^admin.actions is 1, and must be true, or false$/],
  [{ admin: { port: 0, reasons: null } }, "admin.reasons", /^admin.reasons is null, and must be true, or false$/],
  [
    { admin: { port: 0, showQuery: "false" } },
    "admin.showQuery",
    /^admin.showQuery is "false", and must be true, or false$/
  ],
  [{ webSocket: new Date(0) }, "webSocket", /^webSocket is .*, and must be an object of options/],
  [{ webSocket: new Map() }, "webSocket", /^webSocket is .*, and must be an object of options/],
  [new Date(0), "options", /^options is .*, and must be an object of options/],
  [{ spread: 1e308 }, "spread", /^spread is 1e\+308ms, and must be 4s at the most/],
  [{ lameDuck: 1e306, spread: 1e308 }, "spread", /^spread is 1e\+308ms, and must be 1e\+306ms at the most/]
]

for (const [options, field, message] of cases) {
  it(`refuses ${field}: ${message.source}`, () => {
    const node = Http.createServer()
    const error = refused(() => quiesce(node, options as Options))
    expect(error.field).toBe(field)
    expect(error.message).toMatch(message)
    // it was left alone
    expect(quiesce(node, { logger: false }).phase()).toBe("Serving")
  })
}

it("takes options without a prototype, and those of a class of the program's", async () => {
  class Options {
    readonly code = 1012
  }
  for (const webSocket of [Object.assign(Object.create(null), { code: 1012 }), new Options(), {}]) {
    await quiesce(Http.createServer(), { logger: false, webSocket }).shutdown()
  }
})

it("refuses to launch workers without options, and with others than there are", async () => {
  const wrong: ReadonlyArray<readonly [options: unknown, field: string]> = [
    [undefined, "options"],
    [null, "options"],
    [2, "options"],
    [{ workers: 2, timout: 1 }, "timout"],
    [{ workers: 0 }, "workers"]
  ]
  for (const [options, field] of wrong) {
    const error = await launchWorkers(options as Parameters<typeof launchWorkers>[0]).then(
      () => undefined,
      (error: unknown) => error
    )
    expect(error, field).toBeInstanceOf(InvalidPolicy)
    expect(error).toMatchObject({ field })
  }
})

it("names all options there are", () => {
  const { expected } = refused(() => quiesce(Http.createServer(), { zzz: 1 } as Options))
  expect(expected.split("there is ").at(-1)?.split(", ").sort()).toEqual([
    "admin",
    "agentCheck",
    "endEventStreams",
    "eventStreamRetry",
    "finally",
    "finallyTimeout",
    "handoff",
    "idleGrace",
    "killTimeout",
    "lameDuck",
    "logger",
    "newConnectionGrace",
    "onShutdown",
    "pollSchedule",
    "signals",
    "spread",
    "timeout",
    "uncaught",
    "webSocket"
  ])
})

it("refuses a hook without a name, without a function, and with options that there are not", async () => {
  const server = quiesce(Http.createServer(), { logger: false })
  const register = (...args: ReadonlyArray<unknown>) =>
    refused(() => {
      Reflect.apply(server.onShutdown, undefined, args)
    }).message
  expect(register(() => {})).toMatch(/^name of the hook is a function, and must be a text, .*onShutdown\("flush", /)
  expect(register("flush")).toMatch(/^hook "flush" is undefined, and must be a function: onShutdown\("flush", /)
  expect(register("flush", () => {}, { timout: 1 })).toMatch(
    /^timout of the hook "flush" is 1, .*: did you mean "timeout"\? There is timeout$/
  )
  expect(register("flush", () => {}, 5000)).toMatch(/^options of the hook "flush" is 5000, and must be an object/)
  expect((await server.shutdown()).hooks).toEqual([])
})
