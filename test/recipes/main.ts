/**
 * The recipes of docs/recipes.md, with the packages that they are for: each is started as its first lines say, and
 * `quiesce check` puts its clients on it; then one call is in flight when SIGTERM comes.
 *
 *   npm run recipes                    all of them
 *   npm run recipes -- nest bullmq     those
 *   npm run recipes -- pm2             `pm2 reload` under load
 *
 * bullmq wants a Redis (`apt-get install redis-server`).
 */
import * as Fs from "node:fs"
import * as Path from "node:path"
import { parseArgs } from "node:util"
import { check } from "../../src/check.js"
import { copy, install, run } from "../servers/prepare.js"
import * as Programs from "../support/program.js"
import { acceptedJobs } from "./acceptedJobs.js"
import { answeredCall, grpcCall } from "./calls.js"
import { pm2Faults } from "./pm2.js"
import { folder, type Recipe, recipes } from "./recipes.js"
import { startRedis } from "./redis.js"

const { positionals } = parseArgs({ allowPositionals: true })
const names = [...recipes.map(({ name }) => name), "pm2"]
const unknown = positionals.filter((name) => !names.includes(name))
if (unknown.length > 0) {
  console.error(`There is no recipe ${unknown.join(", ")}: they are ${names.join(", ")}`)
  process.exit(2)
}
const isChosen = (name: string): boolean => positionals.length === 0 || positionals.includes(name)

const prepare = async (): Promise<void> => {
  await install(folder)
  await run(Programs.npm, ["run", "--silent", "build"])
  copy(Path.join(folder, "../../"), folder)
}

const versionOf = ({ package: name }: Recipe): string =>
  (JSON.parse(Fs.readFileSync(Path.join(folder, "node_modules", name, "package.json"), "utf8")) as { version: string })
    .version

/** What is wrong with it. */
const faultsOf = async (recipe: Recipe): Promise<ReadonlyArray<string>> => {
  const redis = recipe.needsRedis === true ? await startRedis() : undefined
  const env = redis === undefined ? {} : { REDIS_PORT: String(redis.port) }
  try {
    const { kept, lost, results } = await check({
      command: [process.execPath, `${recipe.name}.js`],
      cwd: folder,
      env,
      startTimeoutMillis: 60_000,
      ...recipe.offers
    })
    console.log(`${recipe.name}: ${recipe.package} ${versionOf(recipe)}: ${kept} kept, ${lost} lost`)
    const losses = results.filter(({ verdict }) => verdict === "lost").map(({ name, saw }) => `${name}: ${saw}`)
    const unasked = results.filter((result) => result.unasked === "failed").map(({ name, saw }) =>
      `${name} could not be asked: ${saw}`
    )
    const call = await answeredCall(recipe, env)
    const own = recipe.name === "grpc"
      ? await grpcCall()
      : redis === undefined
      ? []
      : await acceptedJobs(redis.port)
    return [...losses, ...unasked, ...call, ...own]
  } catch (error) {
    return [error instanceof Error ? error.message : String(error)]
  } finally {
    await redis?.stop()
  }
}

let failed = 0
await prepare()
const chosen = [
  ...recipes.filter(({ name }) => isChosen(name)).map((recipe) => () => faultsOf(recipe)),
  ...isChosen("pm2") ? [pm2Faults] : []
]
for (const check of chosen) {
  const faults = await check()
  for (const fault of faults) console.log(`  ${fault}`)
  if (faults.length > 0) failed++
}
console.log(failed === 0 ? "Nothing was lost" : `${failed} of ${chosen.length} recipes have lost something`)
process.exitCode = failed === 0 ? 0 : 1
