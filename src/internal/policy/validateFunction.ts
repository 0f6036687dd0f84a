/**
 * What programs without types may pass in place of functions.
 */
import { InvalidPolicy } from "../model/errors.js"

/** Looks at what must be a function, if it is given. */
export const aFunction = (field: string, value: unknown, expected = "a function"): void => {
  if (typeof value !== "function") throw new InvalidPolicy({ field, value, expected })
}
