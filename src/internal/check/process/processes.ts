/**
 * The processes that a server consists of: those of its process group, and those that carry its mark in their
 * environment, as a child does that has left the group.
 */
import { execFileSync } from "node:child_process"
import * as Fs from "node:fs"
import { constants } from "node:os"

/** The variable that marks all processes of one start. */
export const markName = "QUIESCE_CHECK"

export interface Process {
  readonly pid: number
  readonly command: string
}

const isLinux = process.platform === "linux"

/** A process that nobody has waited for yet is over. */
const isOver = (state: string) => state.startsWith("Z") || state.startsWith("X")

export const processesOf = (group: number, mark: string): ReadonlyArray<Process> =>
  isLinux ? fromProc(group, mark) : fromPs(group)

const read = (path: string): string | undefined => {
  try {
    return Fs.readFileSync(path, "latin1")
  } catch {
    // it is gone, or another user's
    return undefined
  }
}

const fromProc = (group: number, mark: string): ReadonlyArray<Process> =>
  Fs.readdirSync("/proc").filter((name) => /^\d+$/.test(name)).flatMap((name) => {
    const stat = read(`/proc/${name}/stat`)
    if (stat === undefined) return []
    // the name of the program is in brackets, and may have any character
    const [state = "", , pgrp] = stat.slice(stat.lastIndexOf(")") + 2).split(" ")
    if (isOver(state)) return []
    const isOurs = Number(pgrp) === group || read(`/proc/${name}/environ`)?.includes(`${markName}=${mark}\0`) === true
    return isOurs ? [{ pid: Number(name), command: commandOf(name) }] : []
  })

const commandOf = (pid: string): string =>
  read(`/proc/${pid}/cmdline`)?.replaceAll("\0", " ").trim().slice(0, 200) ?? ""

const fromPs = (group: number): ReadonlyArray<Process> => {
  const lines = execFileSync("ps", ["-A", "-o", "pid=,pgid=,state=,command="], { encoding: "utf8" }).split("\n")
  return lines.flatMap((line) => {
    const [, pid, pgid, state = "", command = ""] = /^\s*(\d+)\s+(\d+)\s+(\S+)\s+(.*)$/.exec(line) ?? []
    return Number(pgid) === group && !isOver(state) ? [{ pid: Number(pid), command: command.slice(0, 200) }] : []
  })
}

/** Whether a signal that was sent to a process waits for it to run: a second one is the same then. Linux alone says so. */
export const isPending = (pid: number, signal: NodeJS.Signals): boolean => {
  const pending = /^ShdPnd:\s*([0-9a-f]+)$/m.exec(read(`/proc/${pid}/status`) ?? "")?.[1]
  return pending !== undefined && (BigInt(`0x${pending}`) >> BigInt(constants.signals[signal] - 1)) % 2n === 1n
}

/** For how long a process could have run and was not let, in milliseconds. Linux alone says so. */
export const keptWaiting = (pid: number): number => Number(read(`/proc/${pid}/schedstat`)?.split(" ")[1] ?? 0) / 1e6

/** Sends a signal to a process or, with a negative number, to a group. Whether there was one. */
export const kill = (pid: number, signal: NodeJS.Signals): boolean => {
  try {
    return process.kill(pid, signal)
  } catch {
    return false
  }
}
