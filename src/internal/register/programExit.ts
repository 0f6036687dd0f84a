/**
 * A program may end its process while its servers still owe somebody an answer: `process.exit` does not come back, and
 * whoever calls it relies on that. So nothing is prevented; what was cut, and where from, is said.
 */
import * as Effect from "effect/Effect"
import * as Line from "../log/line.js"
import type { PlainService } from "../model/server.js"
import { clip } from "../model/text.js"

interface Watched {
  readonly servers: () => Iterable<PlainService>
  /** A shutdown has begun. */
  readonly isStopping: () => boolean
  readonly log: (line: Effect.Effect<void>) => void
  /** Worker threads that have servers. */
  readonly threads: () => ReadonlyArray<number>
  /** What ends. */
  readonly what: "process" | "thread"
}

/** How many requests the line names. */
const named = 5

/** Until what it returns is called. */
export const watchExit = ({ isStopping, log, servers, threads, what }: Watched): () => void => {
  const onExit = (code: number): void => {
    const requests = Array.from(servers()).flatMap((server) => inFlight(server))
    if (requests.length === 0 && !isStopping()) return
    const how = callOfExit(new Error("its stack is read").stack)
    const shown = requests.slice(0, named).join(", ") + (requests.length > named ? ", …" : "")
    const inThreads = isStopping() && threads().length > 0
      ? `; worker threads that had not: ${threads().join(", ")}`
      : ""
    const cut = requests.length === 0
      ? "no request was in flight"
      : `cut ${requests.length === 1 ? "1 request" : `${requests.length} requests`} in flight: ${shown}`
    const when = isStopping() ? "before its servers had drained" : "and its servers were not drained"
    log(
      Line.error(
        how === undefined
          ? `The ${what} ends with exit code ${code} ${when}: ${cut}${inThreads}`
          : `The program called process.exit(${code}) ${when}: ${cut}${inThreads}. It was called ${how}`,
        { event: "ProgramExited", code, requests: requests.length }
      )
    )
  }
  process.on("exit", onExit)
  return () => void process.off("exit", onExit)
}

const inFlight = (server: PlainService): ReadonlyArray<string> =>
  Effect.runSync(server.connections).flatMap(({ inFlight, remoteAddress }) =>
    inFlight.map(({ method, path }) => `${clip(method)} ${clip(path)} from ${remoteAddress}`)
  )

/** Where `process.exit` was called, as the stack has it; `undefined` where nobody has called it. */
const callOfExit = (stack: string | undefined): string | undefined => {
  const frames = stack?.split("\n").map((line) => line.trim()) ?? []
  const exit = frames.findIndex((frame) => /^at process\.(exit|reallyExit) \(node:/.test(frame))
  return exit === -1 ? undefined : frames[exit + 1]
}
