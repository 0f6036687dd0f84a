/**
 * What can be wrong with the options of a plan.
 */

/** An option has a value that it cannot have. The message names the option, the value and what would be right. */
export class InvalidPlan extends Error {
  readonly _tag = "InvalidPlan"
  readonly option: string
  readonly value: string | undefined
  readonly expected: string
  constructor(option: string, value: string | undefined, expected: string) {
    super(`--${option}${value === undefined ? "" : ` ${value}`}: ${expected}`)
    this.name = "InvalidPlan"
    this.option = option
    this.value = value
    this.expected = expected
  }
}
