/**
 * What can be wrong with a policy, and with a server that stops or has stopped.
 */
import * as Data from "effect/Data"
import * as Duration from "effect/Duration"
import * as Inspectable from "effect/Inspectable"
import { type BackgroundReport, clientHasReceived, isLost, type Report } from "./report.js"
import { clip, formatted, printDuration } from "./text.js"

/**
 * A field of a {@link Policy} (or the limit of a hook) has a value that it cannot have. The message names the field,
 * the value and what would be right.
 *
 * @since 0.1.0
 * @category errors
 */
export class InvalidPolicy extends Data.TaggedError("InvalidPolicy")<{
  readonly field: string
  readonly value: unknown
  readonly expected: string
}> {
  override get message(): string {
    return `${this.field} is ${printValue(this.value)}, and must be ${this.expected}`
  }
}

/**
 * Requests were cut, or background work was lost, at the deadline; or requests were lost without one, as other code in
 * the process has cut them or no handler was there for them (then `report.outcome` is `"Cut"`). They are in
 * `report.cut`, and in `report.background`. `shutdown` fails with it, and the finalizer of the server dies with it, so
 * that a process under `NodeRuntime.runMain` exits with 1.
 *
 * **Example**
 *
 * ```ts
 * import { Console, Effect } from "effect"
 * import { Server } from "quiesce"
 *
 * const stop = Server.Server.pipe(
 *   Effect.flatMap((server) => server.shutdown),
 *   Effect.catchTag("DeadlineExceeded", ({ report }) => Console.error(`${report.cut.length} requests were cut`))
 * )
 * ```
 *
 * @since 0.1.0
 * @category errors
 */
export class DeadlineExceeded extends Data.TaggedError("DeadlineExceeded")<{ readonly report: Report }> {
  override get message(): string {
    const { background, cut, draining } = this.report
    const shown = cut.slice(0, 5).map((request) =>
      `${request.method} ${clip(request.path)} (${printDuration(request.age)}, ${
        clientHasReceived[request.clientReceived]
      })`
    )
    const more = cut.length > shown.length ? ` and ${cut.length - shown.length} more` : ""
    if (this.report.outcome === "Cut" && cut.every(({ by }) => by === "rpc")) {
      return `${cut.length} call${
        cut.length === 1 ? "" : "s"
      } of RPC did not get the whole response, since nothing waits `
        + `for them: ${shown.join(", ")}${more}. Wrap the layer of the protocol in withDrain of quiesce/rpc.`
    }
    if (this.report.outcome === "Cut" && cut.every(({ by }) => by === "noHandler")) {
      return `${cut.length} request${
        cut.length === 1 ? " was" : "s were"
      } answered with 503, since no handler was there `
        + `for ${cut.length === 1 ? "it" : "them"}: ${shown.join(", ")}${more}. `
        + `Listen when what the handlers need is there.`
    }
    if (this.report.outcome === "Cut") {
      return `${cut.length} request${
        cut.length === 1 ? "" : "s"
      } did not get the whole response, since other code in this `
        + `process has destroyed the connection: ${shown.join(", ")}${more}. `
        + `Let the shutdown alone close connections: it closes idle ones at once, and the others with their last answer.`
    }
    const lost = background.filter(isLost).slice(0, 5).map(lostWork).join(", ")
    const since = `before the deadline, ${printDuration(draining)} after draining began`
    if (cut.length === 0 && lost !== "") {
      return `Background work did not end ${since}: ${lost}. Raise \`timeout\`, or let it end on \`Server.shuttingDown\`.`
    }
    return `${cut.length} request${cut.length === 1 ? "" : "s"} did not get the whole response ${since}: `
      + `${shown.join(", ")}${more}. ${lost === "" ? "" : `Nor did background work end: ${lost}. `}`
      + `Raise \`timeout\`, or let the handler end earlier (see \`Server.shuttingDown\`).`
  }
}

const lostWork = ({ count, name, outcome }: BackgroundReport): string =>
  `"${clip(name)}" (${count} ${outcome.toLowerCase()})`

/**
 * The server has begun to shut down, or is closed, and cannot be used for `operation` any more (Go's
 * `ErrServerClosed`; rules B4 and B10 in docs/go-rules.md). A server stops once: make a new one.
 *
 * @since 0.1.0
 * @category errors
 */
export class ServerClosed extends Data.TaggedError("ServerClosed")<{ readonly operation: string }> {
  override get message(): string {
    return `${this.operation}: this server has begun to shut down. A server stops once; make a new one.`
  }
}

/** For the text of an error. */
export const printValue = (value: unknown): string =>
  typeof value === "string"
    ? JSON.stringify(value)
    : Duration.isDuration(value)
    ? formatted(value)
    : typeof value === "function"
    ? "a function"
    : typeof value === "bigint"
    ? String(value)
    : clip(Inspectable.toStringUnknown(value, 0))
