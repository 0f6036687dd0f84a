/**
 * What runs this program, where that is not Node.
 */

/** Bun, and which: its servers of HTTP are not built on those of `node:net`. Deno's are. */
export const bun = (): string | undefined => {
  const { bun: version } = process.versions
  return version === undefined ? undefined : `Bun ${version}`
}
