/**
 * What `quiesce check` says of the app on either server: what it asks of any server, and no second copy of it.
 */
import { check, type Options, type Report } from "quiesce/check"
import { nodeArgs } from "../../support/bundle.js"
import type { Which } from "./app.js"

/** What the app has. Its slow answer uses the pool. */
const paths = { post: "/orders", slow: "/query/500", big: "/big/50", stream: "/ticks", ws: "/socket" } as const

/** `runMain` chooses the exit code, and it is the same one for both servers. */
const skip = ["exit-code"]

export const checkOf = (which: Which, options: Partial<Options> = {}): Promise<Report> =>
  check({
    ...paths,
    skip,
    ...options,
    command: [process.execPath, ...nodeArgs(new URL("./main.ts", import.meta.url)), which]
  })
