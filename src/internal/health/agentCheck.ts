/**
 * HAProxy's agent check: whoever connects is told in one line whether the server wants traffic, and is hung up on.
 */
import * as Effect from "effect/Effect"
import * as Net from "node:net"
import * as RealTime from "../effect/realTime.js"
import type { Answer, HealthService } from "../model/health.js"
import type { Phase } from "../model/policy.js"
import { printMillis } from "../model/text.js"
import { clearTimeout, setTimeout } from "../node/timers.js"
import { isDraining } from "./health.js"

/** A check may take longer than HAProxy waits for its line. */
const checksMillis = 4000

/**
 * `drain` leaves clients that a cookie binds to this server with it, and so it is said only while it accepts. HAProxy
 * keeps what it was told: `ready` takes back the `drain` of a predecessor at this address, and `up` its `stopped`.
 */
const lines = {
  serving: "up ready\n",
  late: `down # not ready: no answer of its checks in ${printMillis(checksMillis)}\n`,
  lameDuck: "drain\n",
  stopped: "stopped # shutting down\n"
}

/** What HAProxy keeps of a line is short. */
const namesShown = 5

/** The line for a server as it is now. Its checks are asked while it serves only, and then it may begin to stop. */
export const agentLine = (
  { phase, shuttingDown }: { readonly phase: Effect.Effect<Phase>; readonly shuttingDown: Effect.Effect<void> },
  health: Pick<HealthService, "probe">
): Effect.Effect<string> =>
  Effect.flatMap(phase, (now) => {
    const line = lineIn(now)
    if (line !== undefined) return Effect.succeed(line)
    const checked = Effect.map(health.probe("ready"), lineOf)
    const late = Effect.as(RealTime.sleep(checksMillis), lines.late)
    // it enters its phase a moment later
    const stops = Effect.map(
      Effect.zipRight(shuttingDown, phase),
      (phase) => lineIn(phase) ?? lines.lameDuck
    )
    return Effect.raceFirst(
      Effect.interruptible(Effect.raceFirst(Effect.interruptible(checked), Effect.interruptible(late))),
      Effect.interruptible(stops)
    )
  })

/** While it serves, its checks know. */
const lineIn = (phase: Phase): string | undefined =>
  phase === "Serving" ? undefined : phase === "LameDuck" ? lines.lameDuck : lines.stopped

const lineOf = ({ checks, passed }: Answer): string => {
  if (passed) return lines.serving
  if (isDraining(checks)) return lines.lameDuck
  const failed = checks.filter(({ outcome }) => outcome === "Failed").map(({ name }) => inOneLine(name))
  const more = failed.length > namesShown ? ", …" : ""
  return `down # not ready: ${failed.slice(0, namesShown).join(", ")}${more}\n`
}

const inOneLine = (name: string): string => name.replaceAll(/[^\x20-\x7e]/g, "?")

/** HAProxy has one connection for each of its processes; whoever has more is not HAProxy. */
const connectionLimit = 64

/** A client that has no line by then gets none. */
const patienceMillis = 5000

/** How long a client that has its line may take to hang up: closed at once, it could be reset before it has read it. */
const partingMillis = 250

/**
 * A Node server that tells everybody who connects the line that `ask` says. Whoever stays holds no place of others: the
 * oldest goes first, and one that has its line before one that has not.
 */
export const agentServer = (ask: () => Promise<string>): Net.Server => {
  const waiting = new Set<Net.Socket>()
  const told = new Set<Net.Socket>()
  return Net.createServer((socket) => {
    if (waiting.size + told.size >= connectionLimit) {
      const [oldest] = told.size > 0 ? told : waiting
      waiting.delete(oldest!)
      told.delete(oldest!)
      oldest!.destroy()
    }
    waiting.add(socket)
    let patience = setTimeout(() => socket.destroy(), patienceMillis).unref()
    // one that has its line may close with a reset, as HAProxy does
    socket.on("error", () => {})
    socket.once("close", () => {
      waiting.delete(socket)
      told.delete(socket)
      clearTimeout(patience)
    })
    // what `agent-send` sends
    socket.resume()
    const tell = (line: string) => {
      if (!waiting.delete(socket)) return
      told.add(socket)
      clearTimeout(patience)
      patience = setTimeout(() => socket.destroy(), partingMillis).unref()
      socket.end(line)
    }
    void ask().then(tell, () => socket.destroy())
  })
}
