// Loaded before a server that is profiled: a profile of its CPU, from the message "begin" to the message "end", is
// written to the file that it is told.
import * as Fs from "node:fs"
import { Session } from "node:inspector"

const session = new Session()
session.connect()
session.post("Profiler.enable")
session.post("Profiler.setSamplingInterval", { interval: 250 })

process.on("message", (message) => {
  if (message === "begin") session.post("Profiler.start")
  if (message !== "end") return
  session.post("Profiler.stop", (error, result) => {
    if (error !== null) throw error
    Fs.writeFileSync(process.env.BENCH_PROFILE, JSON.stringify(result.profile))
  })
})
