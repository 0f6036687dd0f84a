/**
 * The figures of the README: `npm run bench` prints them all, `npm run bench -- request` one of them.
 */
import { cpus } from "node:os"
import * as Idle from "./idle.js"
import * as Lag from "./lag.js"
import * as Request from "./request.js"

const all = { request: () => Request.run(), lag: () => Lag.run(), idle: () => Idle.run() }

const chosen = process.argv.slice(2)
console.log(`Node ${process.version} on ${cpus().length} × ${cpus()[0]?.model ?? "unknown"}`)
for (const [name, run] of Object.entries(all)) {
  if (chosen.length === 0 || chosen.includes(name)) await run()
}
