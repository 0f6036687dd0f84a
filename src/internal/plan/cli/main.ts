/**
 * The command `quiesce plan`.
 */
import process from "node:process"
import { InvalidPlan } from "../errors.js"
import { plan } from "../plan.js"
import { parse, UnknownArgument, usage } from "./arguments.js"
import { text } from "./text.js"

/** Its exit code. */
export const main = (argv: ReadonlyArray<string>): number => {
  try {
    const args = parse(argv)
    if (args === undefined) {
      process.stdout.write(usage)
      return 0
    }
    const made = plan(args.options)
    process.stdout.write(args.json ? `${JSON.stringify(made, null, 2)}\n` : text(made))
    return made.recommended.fits && made.rows.every(({ isRecommended, lost }) => !isRecommended || lost.mean < 1)
      ? 0
      : 1
  } catch (cause) {
    if (!(cause instanceof InvalidPlan || cause instanceof UnknownArgument)) throw cause
    process.stderr.write(`quiesce plan: ${cause.message}\nquiesce plan --help says what there is.\n`)
    return 2
  }
}
