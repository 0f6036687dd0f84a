/**
 * Why a check could not be made.
 */

/**
 * Why a check could not be made.
 *
 * @since 0.2.0
 * @category errors
 */
export type Reason = "InvalidOption" | "NotLoopback" | "DiedAtStart" | "DoesNotAnswer" | "Unsupported" | "Interrupted"

/**
 * Nothing can be asked: an option is wrong, or the server does not start.
 *
 * @since 0.2.0
 * @category errors
 */
export class CheckFailed extends Error {
  readonly _tag = "CheckFailed"
  readonly reason: Reason
  /** The last of what the server printed. */
  readonly output: string
  constructor(reason: Reason, message: string, output = "") {
    const printed = output.trim()
    super(printed === "" ? message : `${message}\nIt printed:\n${printed.replaceAll(/^/gm, "  ")}`)
    this.name = "CheckFailed"
    this.reason = reason
    this.output = output
  }
}
