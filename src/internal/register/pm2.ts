/**
 * PM2 stops a process by SIGINT, or, with `shutdown_with_message`, by a message that nothing but a program made for it
 * obeys: others are killed. Under `quiesce/register` it is what SIGINT is.
 */
import { deliver } from "../signals/processSignals.js"

/** Until what it returns is called. */
export const obeyPm2 = (): () => void => {
  if (process.env["pm_id"] === undefined || process.send === undefined) return nothing
  const onMessage = (message: unknown): void => {
    if (message === "shutdown") deliver("SIGINT")
  }
  process.on("message", onMessage)
  return () => void process.off("message", onMessage)
}

const nothing = () => {}
