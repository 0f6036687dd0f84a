/**
 * HAProxy's agent check: whoever connects is told in one line whether the server wants traffic, and is hung up on.
 */
import * as Effect from "effect/Effect"
import * as Net from "node:net"
import type { HealthService } from "../model/health.js"
import type { ServerService } from "../model/server.js"
import { clearTimeout, setTimeout } from "../node/timers.js"
import { isDraining } from "./health.js"

/**
 * `drain` leaves clients that a cookie binds to this server with it, and so it is said only while it accepts. HAProxy
 * keeps what it was told: `ready` takes back the `drain` of a predecessor at this address, and `up` its `stopped`.
 */
const lines = { serving: "up ready\n", lameDuck: "drain\n", stopped: "stopped # shutting down\n" }

/** What HAProxy keeps of a line is short. */
const namesShown = 5

/** The line for a server as it is now. Its checks are asked while it serves only. */
export const agentLine = (server: ServerService, health: HealthService): Effect.Effect<string> =>
  Effect.flatMap(server.phase.get, (phase) => {
    if (phase === "LameDuck") return Effect.succeed(lines.lameDuck)
    if (phase !== "Serving") return Effect.succeed(lines.stopped)
    return Effect.map(health.probe("ready"), ({ checks, passed }) => {
      if (passed) return lines.serving
      if (isDraining(checks)) return lines.lameDuck
      const failed = checks.filter(({ outcome }) => outcome === "Failed").map(({ name }) => inOneLine(name))
      const more = failed.length > namesShown ? ", …" : ""
      return `down # not ready: ${failed.slice(0, namesShown).join(", ")}${more}\n`
    })
  })

const inOneLine = (name: string): string => name.replaceAll(/[^\x20-\x7e]/g, "?")

/** HAProxy has one connection for each of its processes; whoever has more is not HAProxy. */
const connectionLimit = 64

/** A client that does not hang up is hung up on. Each gets its line within the longest `timeout` of the checks. */
const patienceMillis = 5000

/** A Node server that tells everybody who connects the line that `ask` says. */
export const agentServer = (ask: () => Promise<string>): Net.Server => {
  let open = 0
  return Net.createServer((socket) => {
    if (open === connectionLimit) return void socket.destroy()
    open++
    const patience = setTimeout(() => socket.destroy(), patienceMillis).unref()
    // one that has its line may close with a reset, as HAProxy does
    socket.on("error", () => {})
    socket.once("close", () => {
      open--
      clearTimeout(patience)
    })
    // what `agent-send` sends
    socket.resume()
    void ask().then((line) => socket.end(line), () => socket.destroy())
  })
}
