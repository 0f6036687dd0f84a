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
    const inOrder = ({ journal }: typeof seen) =>
      compared === "sorted" ? journal.map((entry) => JSON.stringify(entry)).toSorted() : journal
    expect(inOrder(seen), label).toEqual(inOrder(expected))
    return expected
  })

/** The head of a request for a server of these tests. */
export const head = (method: string, target: string, ...lines: ReadonlyArray<string>) =>
  [
    `${method} ${target} HTTP/1.1`,
    "Host: example.test:8080",
    ...lines,
    "",
    ""
  ].join("\r\n")
