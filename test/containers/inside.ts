/** Runs in namespaces of its own: main.ts starts it. `inside.ts trial|measure FOLDER [NAME…]` */
import * as Fs from "node:fs"
import * as Path from "node:path"
import * as Programs from "../support/program.js"
import { pace } from "../support/wait.js"
import { type Clients, type Got, inLameDuck, startClients, started } from "./clients.js"
import { type Engine, exitOf, healthy, startEngine } from "./engine.js"
import { type EntryPoint, entryPoints } from "./entryPoints.js"
import { playKube } from "./kube.js"
import { filesIn } from "./paths.js"
import { judged, type Stopped, tableOf } from "./stopped.js"

const [, , what, folder, ...names] = process.argv
if (folder === undefined) throw new Error("inside.ts is started by main.ts")
const isChosen = (name: string) => names.length === 0 || names.some((part) => name.includes(part))

const loopbackUp = async (): Promise<void> => {
  const running = Programs.start(Programs.ip, ["link", "set", "lo", "up"])
  const { code, stderr } = await running.ran(10_000)
  if (code !== 0) throw new Error(`the loopback interface cannot be used: ${stderr}`)
}

const buildImages = async (engine: Engine): Promise<void> => {
  const { app, base, cache, npmrc } = filesIn(folder)
  // COPY makes all of it root's
  const own = ["FROM scratch", "COPY base /", "RUN chown 1000:1000 /home/node && chmod 1777 /tmp"]
  const dockerfile = Path.join(folder, "Dockerfile")
  Fs.writeFileSync(dockerfile, own.join("\n"))
  const options = ["build", "--quiet", "--layers=false", "--network=host"]
  await engine.podman(
    [...options, "--file", dockerfile, "--tag", "docker.io/library/node:22-slim", Path.dirname(base)],
    5 * 60_000
  )
  // without --format docker, the image has no HEALTHCHECK
  const ours = ["--format=docker", "--volume", `${cache}:/cache`, "--volume", `${npmrc}:/root/.npmrc`]
  await engine.podman([...options, ...ours, "--tag", "app", app], 10 * 60_000)
}

const buildEntryPoint = async (engine: Engine, { dockerfile, script }: EntryPoint): Promise<void> => {
  const context = Path.join(folder, "entryPoint")
  Fs.rmSync(context, { recursive: true, force: true })
  Fs.mkdirSync(context)
  Fs.writeFileSync(Path.join(context, "Dockerfile"), ["FROM localhost/app", ...dockerfile].join("\n"))
  if (script !== undefined) Fs.writeFileSync(Path.join(context, "start.sh"), script, { mode: 0o755 })
  await engine.podman(["build", "--quiet", "--layers=false", "--format=docker", "--tag", "started", context])
}

/** In the lame duck it is alive, is not ready, and still serves: its clients see that. Podman does not ask it any more. */
const lameDuckProblems = async (engine: Engine): Promise<ReadonlyArray<string>> => {
  await pace(2000)
  const wrong = await inLameDuck()
  const { said } = await engine.ran(["healthcheck", "run", "app"])
  return said.includes("is not running") ? wrong : [...wrong, `a health check in the lame duck said: ${said}`]
}

const stopped = async (engine: Engine, entryPoint: EntryPoint): Promise<Stopped> => {
  const { env = {}, init, lameDuck, stopSeconds } = entryPoint
  await buildEntryPoint(engine, entryPoint)
  const variables = Object.entries(env).flatMap(([name, value]) => ["--env", `${name}=${value}`])
  // its timers are systemd's, which is not in here: the check is run by hand
  const options = ["--name=app", "--network=host", "--health-interval=disable", ...init === true ? ["--init"] : []]
  await engine.podman(["run", "--detach", ...options, ...variables, "started"])
  let clients: Clients | undefined
  let got: Got | undefined
  try {
    await started(30)
    await healthy(engine, "app")
    clients = await startClients()
    const begun = Date.now()
    const [, seen] = await Promise.all([
      engine.podman(["stop", "--time", `${stopSeconds}`, "app"]),
      lameDuck === true ? lameDuckProblems(engine) : []
    ])
    got = await clients.end()
    const { at, code } = await exitOf(engine, "app")
    return judged(entryPoint, { code, millis: at - begun, got, problems: seen })
  } finally {
    if (got === undefined) await clients?.end()
    await engine.podman(["rm", "--force", "--time=0", "app"])
  }
}

const measure = async (): Promise<number> => {
  const engine = await startEngine(folder)
  const version = await engine.podman(["--version"])
  console.log(`${version}, storage: ${engine.storage}`)
  console.log("podman build, of examples/deploy/Dockerfile")
  await buildImages(engine)
  const versions = await engine.podman(["run", "--rm", "--network=host", "app", "sh", "-c", "node -v; npm -v"])
  let failed = 0
  const rows: Array<Stopped> = []
  const tell = async (name: string, outcome: () => Promise<ReadonlyArray<Stopped>>) => {
    try {
      for (const row of await outcome()) {
        rows.push(row)
        if (row.problems.length > 0) failed++
        console.log(`${row.problems.length === 0 ? "✓" : "✗"} ${row.cells.join(" | ")}`)
        for (const problem of row.problems) console.log(`    ${problem}`)
      }
    } catch (cause) {
      failed++
      console.log(`✗ ${name}: ${cause instanceof Error ? cause.stack : String(cause)}`)
    }
  }
  for (const entryPoint of entryPoints.filter(({ name }) => isChosen(name))) {
    await tell(entryPoint.name, async () => [await stopped(engine, entryPoint)])
  }
  if (isChosen("kube play")) await tell("kube play", () => playKube(engine, folder))
  const [node, npm] = versions.split("\n")
  const taken = `${new Date().toISOString().slice(0, 10)}, ${
    version.replace("podman version", "Podman")
  }, Node ${node}, npm ${npm}`
  const table = tableOf(taken, rows)
  console.log(`\n${table}`)
  Fs.writeFileSync(filesIn(folder).table, table)
  return failed > 0 ? 1 : 0
}

await loopbackUp()
if (what === "trial") {
  try {
    await startEngine(folder)
  } catch (cause) {
    console.error(cause instanceof Error ? cause.message : String(cause))
    process.exitCode = 2
  }
} else {
  process.exitCode = await measure()
}
