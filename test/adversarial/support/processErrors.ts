/** What a process complains of: nothing a client does may be a reason for any of it. */
export const recordComplaints = (): { readonly complaints: ReadonlyArray<string>; readonly stop: () => void } => {
  const complaints: Array<string> = []
  const record = (kind: string) => (what: unknown) => void complaints.push(`${kind}: ${String(what)}`)
  const rejection = record("unhandled rejection")
  const exception = record("uncaught exception")
  const warning = record("warning")
  process.on("unhandledRejection", rejection)
  process.on("uncaughtExceptionMonitor", exception)
  process.on("warning", warning)
  return {
    complaints,
    stop: () => {
      process.off("unhandledRejection", rejection)
      process.off("uncaughtExceptionMonitor", exception)
      process.off("warning", warning)
    }
  }
}
