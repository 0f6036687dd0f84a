/** Podman, with all that it keeps in the folder of this run. */
import * as Fs from "node:fs"
import * as Path from "node:path"
import * as Programs from "../support/program.js"

export class PodmanFailed extends Error {
  constructor(args: ReadonlyArray<string>, { code, signal, stderr, stdout }: Programs.Ran) {
    const said = (stdout.toString() + stderr).trim().slice(-4000)
    super(`podman ${args.join(" ")}: ${code ?? signal}\n${said}`)
    this.name = "PodmanFailed"
  }
}

export interface Engine {
  readonly storage: string
  /** All that it writes to stdout. Fails with {@link PodmanFailed} where its exit code is not 0. */
  readonly podman: (args: ReadonlyArray<string>, limitMs?: number) => Promise<string>
  /** Whatever its exit code is. */
  readonly ran: (args: ReadonlyArray<string>) => Promise<{ readonly code: number | null; readonly said: string }>
}

// Debian's runc, since crun refuses a machine with both kinds of control groups; limits that every machine allows; and
// nothing that a Podman of this machine shares
const settings = (folder: string): string =>
  `[containers]
default_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]
log_driver = "k8s-file"
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "none"
lock_type = "file"
tmp_dir = "${folder}/tmp"
[network]
network_backend = "netavark"
network_config_dir = "${folder}/networks"
`

const engineWith = (folder: string, storage: string): Engine => {
  const configuration = Path.join(folder, "containers.conf")
  const places = Path.join(folder, `storage-${storage}.conf`)
  const [graph, run] = ["graph", "run"].map((name) => Path.join(folder, `${storage}-${name}`))
  Fs.writeFileSync(configuration, settings(folder))
  Fs.writeFileSync(places, `[storage]\ndriver = "${storage}"\ngraphroot = "${graph}"\nrunroot = "${run}"\n`)
  const env = { ...process.env, CONTAINERS_CONF: configuration, CONTAINERS_STORAGE_CONF: places }
  const ran = async (args: ReadonlyArray<string>, limitMs = 60_000) => {
    const running = Programs.start(Programs.podman, args, { cwd: folder, env })
    try {
      return await running.ran(limitMs)
    } finally {
      await running.kill()
    }
  }
  return {
    storage,
    podman: async (args, limitMs) => {
      const result = await ran(args, limitMs)
      if (result.code !== 0) throw new PodmanFailed(args, result)
      return result.stdout.toString().trim()
    },
    ran: async (args) => {
      const { code, stderr, stdout } = await ran(args)
      return { code, said: (stdout.toString() + stderr).trim() }
    }
  }
}

/** Builds an image of one static program, and runs it. */
const tried = async (engine: Engine, folder: string): Promise<void> => {
  const context = Path.join(folder, "trial")
  Fs.mkdirSync(context, { recursive: true })
  Fs.copyFileSync(Programs.pathOf(Programs.catatonit), Path.join(context, "program"))
  Fs.writeFileSync(Path.join(context, "Dockerfile"), "FROM scratch\nCOPY program /\n")
  await engine.podman(["build", "--quiet", "--layers=false", "--tag", "trial", context])
  await engine.podman(["run", "--rm", "--network=host", "trial", "/program", "-V"])
}

/** The first kind of storage with which a container runs here. `vfs` copies the whole image for each container. */
export const startEngine = async (folder: string): Promise<Engine> => {
  const problems: Array<unknown> = []
  for (const storage of ["overlay", "vfs"]) {
    const engine = engineWith(folder, storage)
    try {
      await tried(engine, folder)
      return engine
    } catch (cause) {
      problems.push(cause)
    }
  }
  throw new AggregateError(problems, problems.map(String).join("\n"))
}

export interface Exit {
  readonly code: number
  /** Epoch milliseconds. */
  readonly at: number
}

/** Of a container that has ended. What the engine does after that takes as long as its storage is slow. */
export const exitOf = async ({ podman }: Engine, container: string): Promise<Exit> => {
  const [code, at] =
    (await podman(["inspect", "--format", "{{.State.ExitCode}} {{json .State.FinishedAt}}", container]))
      .split(" ")
  return { code: Number(code), at: Date.parse(JSON.parse(at ?? "") as string) }
}

/** `--retries` of the Dockerfile's HEALTHCHECK, and `failureThreshold` of the manifest's liveness probe. */
const healthTries = 3

/** Fails where its check fails that often in a row. Podman starts a pod anew then, as a kubelet does. */
export const healthy = async ({ ran }: Engine, container: string): Promise<void> => {
  const failures: Array<string> = []
  while (failures.length < healthTries) {
    const { code, said } = await ran(["healthcheck", "run", container])
    if (code === 0) return
    failures.push(`${code}: ${said}`)
  }
  throw new Error(`${container} is not healthy before it is stopped: ${failures.join("; ")}`)
}
