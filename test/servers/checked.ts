/** What a server that is checked is, and what the lists of them need. */
import * as Fs from "node:fs"
import { fileURLToPath } from "node:url"

/** The table that it has a column of. */
export type Group = "node" | "frameworks" | "effect" | "others" | "proxies"

/** The files of a certificate. */
export interface Certificate {
  readonly cert: string
  readonly key: string
}

export interface Checked {
  /** What it is called on the command line. */
  readonly name: string
  /** What the tables call it. */
  readonly title: string
  readonly group: Group
  /** Its program, in this folder. */
  readonly file: string
  /** Where it is, is found out when it is started. `{port}` stands for its port. With a certificate it speaks TLS. */
  readonly command: (certificate?: Certificate) => ReadonlyArray<string>
  readonly signal: NodeJS.Signals
  /** Whether its app takes WebSockets. */
  readonly webSockets: boolean
  /** What it speaks over TLS, if it is asked. */
  readonly tls: "http1" | "http2" | undefined
  /** It is a proxy: a server is started behind it, whose port is in `BACKEND`. */
  readonly proxy: boolean
  /** What stops it, and the page that says so. */
  readonly stop: string
  readonly documentation: string
  /** Settings that would change a cell, and what else has to be known. */
  readonly notes: ReadonlyArray<string>
  /** Why it cannot be checked here. */
  readonly whyNot: () => string | undefined
  readonly versions: () => ReadonlyArray<string>
}

/** A path of this folder. */
export const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url))

export const root = here("../../")

/** The packages for all but Effect 4. */
export const packages = here("node/")

/** Effect 4, which has the name of Effect 3. */
export const effect4 = here("effect4/")

/** The server in Go, compiled. */
export const goBinary = here("../../.out/servers/go")

/** The version of an installed package. */
export const versionOf = (name: string, folder: string): string => {
  const { version } = JSON.parse(Fs.readFileSync(`${folder}node_modules/${name}/package.json`, "utf8")) as {
    readonly version: string
  }
  return `${name} ${version}`
}
