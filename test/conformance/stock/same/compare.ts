/** The same for both servers: what is sent to them, and what is expected of them. */
import { Effect } from "effect"
import { expect } from "vitest"
import { observe, type Scenario, serve, type Served } from "./observe.js"

export type Both = readonly [stock: Served, own: Served]

export const servers = (scenario: Scenario) => Effect.all([serve("stock", scenario), serve("quiesce", scenario)])

/** `whole`: in the order in which it happened. `sorted`: of two at a time, ours may end the first before the second. */
export type Compared = "whole" | "sorted" | "answer"

/** Sends the same to both; what they answer and what has been seen of it must be the same. */
export const same = ([stock, own]: Both, bytes: string, label: string, compared: Compared = "whole") =>
  Effect.gen(function*() {
    const [expected, seen] = yield* Effect.all([observe(stock, bytes), observe(own, bytes)], { concurrency: 2 })
    expect(seen.answer, label).toBe(expected.answer)
    if (compared === "answer") return expected
    if (compared === "whole") expect(seen.journal, label).toEqual(expected.journal)
    else expectSame(sorted(seen.journal), sorted(expected.journal), label)
    return expected
  })

const sorted = (journal: ReadonlyArray<unknown>) => journal.map((entry) => JSON.stringify(entry)).toSorted()

/** On Node 22 stock leaves the fiber of a request behind whose predecessor has failed: ours ends it, and its span. */
const expectSame = (seen: ReadonlyArray<string>, expected: ReadonlyArray<string>, label: string) => {
  const left = Number(/^"fibers that do not end: (\d+)"$/.exec(expected[0] ?? "")?.[1] ?? 0)
  if (left === 0 || seen[0] === expected[0]) return expect(seen, label).toEqual(expected)
  const more = Array.from(seen)
  for (const entry of expected.slice(1)) {
    expect(more, label).toContain(entry)
    more.splice(more.indexOf(entry), 1)
  }
  expect(more.filter((entry) => entry.startsWith("[\"fiber\"")), label).toHaveLength(left)
  expect(more.filter((entry) => !entry.startsWith("[\"fiber\"") && !entry.startsWith("[\"span\"")), label).toEqual([])
}

/** The head of a request for a server of these tests. */
export const head = (method: string, target: string, ...lines: ReadonlyArray<string>) =>
  [
    `${method} ${target} HTTP/1.1`,
    "Host: example.test:8080",
    ...lines,
    "",
    ""
  ].join("\r\n")
