/** What a measurement was made on. */
import * as Fs from "node:fs"
import * as Os from "node:os"

export const machine = (): string => {
  const { length, 0: cpu } = Os.cpus()
  const memory = Math.round(Os.totalmem() / 1024 ** 3)
  return `${length} × ${cpu?.model.trim() ?? "unknown"}, ${memory} GB, ${Os.type()} ${Os.release()}, ${process.arch}`
}

/** Of a package that is installed. */
export const versionOf = (name: string): string => {
  const file = new URL(`../../node_modules/${name}/package.json`, import.meta.url)
  return (JSON.parse(Fs.readFileSync(file, "utf8")) as { readonly version: string }).version
}
