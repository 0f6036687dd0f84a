/**
 * Ends a server when this process ends in whatever way, also by SIGKILL: a shell that waits for the end of its input.
 */
import { type ChildProcess, spawn } from "node:child_process"
import { markName } from "./processes.js"

/** The first line is the process group, the second one says that all is over; the end of the input comes before it. */
const script = `
read -r group
if read -r over; then exit 0; fi
if [ -n "$group" ]; then kill -s KILL -- "-$group" 2>/dev/null; fi
for each in /proc/[0-9]*; do
  if grep -qs "$1" "$each/environ"; then kill -KILL "\${each#/proc/}" 2>/dev/null; fi
done
`

export interface Guardian {
  readonly watch: (group: number) => void
  readonly dismiss: () => void
}

export const startGuardian = (mark: string): Guardian => {
  const shell: ChildProcess = spawn("/bin/sh", ["-c", script, "quiesce-guardian", `${markName}=${mark}`], {
    // Ctrl-C must not reach it
    detached: true,
    stdio: ["pipe", "ignore", "ignore"]
  })
  // without a shell there is no guardian, and the check does its own cleaning
  shell.on("error", () => {})
  shell.stdin?.on("error", () => {})
  shell.unref()
  return {
    watch: (group) => void shell.stdin?.write(`${group}\n`),
    dismiss: () => void shell.stdin?.end("over\n")
  }
}
