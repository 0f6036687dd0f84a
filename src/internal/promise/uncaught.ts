/**
 * Errors that nobody has caught: instead of ending the process at once, they drain it.
 */

export interface Uncaught {
  /** The first of them. */
  readonly first: () => { readonly error: unknown } | undefined
  readonly stop: () => void
}

/** Node tells of a rejection that nobody handles as of an exception. */
export const listen = (
  on: (error: unknown, origin: NodeJS.UncaughtExceptionOrigin, isFirst: boolean) => void
): Uncaught => {
  let first: { readonly error: unknown } | undefined
  const caught = (error: unknown, origin: NodeJS.UncaughtExceptionOrigin) => {
    const isFirst = first === undefined
    first ??= { error }
    process.exitCode ||= 1
    on(error, origin, isFirst)
  }
  process.on("uncaughtException", caught)
  return { first: () => first, stop: () => process.off("uncaughtException", caught) }
}

export const ignore: Uncaught = { first: () => undefined, stop: () => {} }
