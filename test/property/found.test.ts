// What the model has found, each in a file of its own, in one process: to load what they need costs more than to play
// them.
import * as Fs from "node:fs"
import * as Path from "node:path"
import { fileURLToPath } from "node:url"

const found = fileURLToPath(new URL("found", import.meta.url))

for (const name of Fs.readdirSync(found)) {
  if (name !== "scenario.ts") await import(/* @vite-ignore */ Path.join(found, name))
}
