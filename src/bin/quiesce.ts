#!/usr/bin/env node
/**
 * The command `quiesce`. Programs that use the library do not load it.
 */
import process from "node:process"

const usage = `quiesce check [options] -- command [arguments]
quiesce plan --supervisor NAME [options]

  check   starts an HTTP server, stops it, and says which clients lost what: quiesce check --help
  plan    says which policy to choose, and what a deploy loses without it: quiesce plan --help
`

const [name, ...rest] = process.argv.slice(2)
// one by one: a check loads nothing but Node
if (name === "check") process.exitCode = await (await import("../internal/check/cli/main.js")).main(rest)
else if (name === "plan") process.exitCode = (await import("../internal/plan/cli/main.js")).main(rest)
else if (name === undefined || name === "--help" || name === "-h" || name === "help") process.stdout.write(usage)
else {
  process.stderr.write(`quiesce: there is no command ${JSON.stringify(name)}\n${usage}`)
  process.exitCode = 2
}
