import * as Path from "node:path"
import { fileURLToPath } from "node:url"

export const root = fileURLToPath(new URL("../../", import.meta.url))

/** The files that users copy. */
export const deploy = (file: string): string => Path.join(root, "examples/deploy", file)

/** What the folder of a run has. */
export const filesIn = (folder: string) => ({
  /** The root of the base image. */
  base: Path.join(folder, "base"),
  /** What the Dockerfile is built in. */
  app: Path.join(folder, "app"),
  /** npm's, filled before: a build has no network. */
  cache: Path.join(folder, "cache"),
  npmrc: Path.join(folder, "npmrc"),
  table: Path.join(folder, "table.md")
})
