import { runHistories } from "./run.js"
const [seed, n] = process.argv.slice(2).map(Number)
const o = await runHistories({ histories: n!, seed: seed!, onProgress: () => {} })
console.log(JSON.stringify({ seed, n: o.histories, s: o.seconds, failures: o.failures }))
