import * as Fs from "node:fs"

const files: Array<number> = []

/** Takes every descriptor that the process may have (EMFILE), and gives some back. Says how many it holds. */
export const exhaustDescriptors = (spare: number): number => {
  try {
    while (true) files.push(Fs.openSync("/dev/null", "r"))
  } catch (error) {
    if ((error as { readonly code?: unknown }).code !== "EMFILE") throw error
  }
  for (const fd of files.splice(0, spare)) Fs.closeSync(fd)
  return files.length
}

export const releaseDescriptors = (): void => {
  for (const fd of files.splice(0)) Fs.closeSync(fd)
}
