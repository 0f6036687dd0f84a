/** What a process reports as its own faults: nothing a client does may be a reason for any of it. */
export const recordProcessErrors = (): { readonly processErrors: ReadonlyArray<string>; readonly stop: () => void } => {
  const processErrors: Array<string> = []
  const record = (kind: string) => (what: unknown) => void processErrors.push(`${kind}: ${String(what)}`)
  const rejection = record("unhandled rejection")
  const exception = record("uncaught exception")
  const warning = record("warning")
  process.on("unhandledRejection", rejection)
  process.on("uncaughtExceptionMonitor", exception)
  process.on("warning", warning)
  return {
    processErrors,
    stop: () => {
      process.off("unhandledRejection", rejection)
      process.off("uncaughtExceptionMonitor", exception)
      process.off("warning", warning)
    }
  }
}
