#!/usr/bin/env node
/**
 * The command `quiesce`. Programs that use the library do not load it.
 */
import process from "node:process"
import { main } from "../internal/check/cli/main.js"

const usage = `quiesce check [options] -- command [arguments]

  check   starts an HTTP server, stops it, and says which clients lost what: quiesce check --help
`

const [name, ...rest] = process.argv.slice(2)
if (name === "check") process.exitCode = await main(rest)
else if (name === undefined || name === "--help" || name === "-h" || name === "help") process.stdout.write(usage)
else {
  process.stderr.write(`quiesce: there is no command ${JSON.stringify(name)}\n${usage}`)
  process.exitCode = 2
}
