// The app again and again in one process, each time until a signal comes, which does what `runMain` does with it.
//   node --import tsx rounds.ts <rounds> <options as JSON>
import * as Duration from "effect/Duration"
import { type AppOptions, sayOnStdout } from "../conformance/stock/app.js"
import { deferred } from "../support/wait.js"
import { start } from "./inProcess.js"

const rounds = Number(process.argv[2])
const options = JSON.parse(process.argv[3] ?? "{}") as AppOptions

for (let round = 1; round <= rounds; round++) {
  const signalled = deferred()
  // Installed before the app says that it is ready, as `runMain` does.
  process.once("SIGTERM", signalled.resolve).once("SIGINT", signalled.resolve)
  const app = await start({ ...options, say: sayOnStdout })
  void signalled.promise.then(app.interrupt)
  await signalled.promise
  const { connections, cut, duration, outcome, served } = await app.report()
  process.removeAllListeners("SIGTERM").removeAllListeners("SIGINT")
  sayOnStdout("ended", { round, outcome, connections, served, cut: cut.length, ms: Duration.toMillis(duration) })
}
