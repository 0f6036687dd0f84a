/**
 * Options as they are given, checked, and with every default.
 */
import { CheckFailed } from "../errors.js"
import { isLoopback } from "../loopback.js"
import type { Settings } from "../model.js"
import type { Options } from "../options.js"
import { scenarios } from "../scenario/all.js"

const invalid = (message: string) => new CheckFailed("InvalidOption", message)

export const settingsOf = (options: Options): Settings => {
  const settings: Settings = {
    command: options.command,
    cwd: options.cwd,
    env: { ...process.env, ...options.env },
    host: options.host === "localhost" ? undefined : options.host,
    port: options.port,
    unix: options.unix,
    tls: options.tls === true,
    h2: options.h2 === true,
    path: options.path ?? "/",
    post: options.post,
    slow: options.slow,
    big: options.big,
    stream: options.stream,
    ws: options.ws,
    signal: options.signal ?? "SIGTERM",
    group: options.group === true,
    killAfterMillis: options.killAfterMillis ?? 10_000,
    startTimeoutMillis: options.startTimeoutMillis ?? 30_000,
    parallel: options.parallel ?? 4,
    repeat: options.repeat ?? 1,
    only: options.only ?? [],
    skip: options.skip ?? []
  }
  validate(settings)
  return settings
}

const validate = (settings: Settings): void => {
  if (process.platform === "win32") throw new CheckFailed("Unsupported", "signals need a POSIX system")
  if ((settings.command[0] ?? "") === "") throw invalid("the command that starts the server is missing")
  if (settings.host !== undefined && !isLoopback(settings.host)) {
    throw new CheckFailed("NotLoopback", `${settings.host} is not a loopback address: only this machine is checked`)
  }
  for (const name of ["path", "post", "slow", "big", "stream", "ws"] as const) {
    const path = settings[name]
    if (path !== undefined && !/^\/[\x21-\x7e]*$/.test(path)) {
      throw invalid(`${name}: ${JSON.stringify(path)} is no path`)
    }
  }
  whole("port", settings.port, 1, 65_535)
  whole("killAfterMillis", settings.killAfterMillis, 100, 3_600_000)
  whole("startTimeoutMillis", settings.startTimeoutMillis, 100, 3_600_000)
  whole("parallel", settings.parallel, 1, 32)
  whole("repeat", settings.repeat, 1, 1000)
  const names = scenarios.map(({ name }) => name)
  for (const name of [...settings.only, ...settings.skip]) {
    if (!names.includes(name)) throw invalid(`there is no scenario ${JSON.stringify(name)}: ${names.join(", ")}`)
  }
}

const whole = (name: string, value: number | undefined, least: number, most: number): void => {
  if (value === undefined || (Number.isInteger(value) && value >= least && value <= most)) return
  throw invalid(`${name}: ${value} is no whole number from ${least} to ${most}`)
}
