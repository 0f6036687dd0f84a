/**
 * What an app loses when a container engine stops it, by how the Dockerfile starts it: the table of docs/operating.md.
 * The image is built by examples/deploy/Dockerfile, and `podman kube play` runs examples/deploy/kubernetes.yaml.
 *
 *   npm run containers                    all of it
 *   npm run containers -- npm kube        what has that in its name
 *   npm run containers -- --write         and written into docs/operating.md
 *
 * It wants root, and Debian's `podman runc conmon netavark catatonit`. The engine runs in namespaces of its own: with a
 * loopback interface that nobody else has, so that the ports are those of the files, and with mounts and processes that
 * end with it. Its images are in a temporary folder.
 */
import * as Fs from "node:fs"
import * as Os from "node:os"
import * as Path from "node:path"
import { fileURLToPath } from "node:url"
import { parseArgs } from "node:util"
import * as Programs from "../support/program.js"
import { prepareImage } from "./image.js"
import { root } from "./paths.js"

const { positionals, values } = parseArgs({ allowPositionals: true, options: { write: { type: "boolean" } } })
if (values.write === true && positionals.length > 0) throw new Error("--write writes the whole table: leave out names")

const { catatonit, conmon, dpkgQuery, ip, podman, runc, underOwnNetwork } = Programs

const folder = Fs.mkdtempSync(Path.join(Os.tmpdir(), "quiesce-containers-"))
let engine: Programs.Running | undefined
// whatever ends this process ends the engine: by SIGKILL, since unshare holds back all else while its command runs
process.on("exit", () => {
  engine?.child.kill("SIGKILL")
  Fs.rmSync(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 200 })
})
process.once("SIGINT", () => process.exit(130))
process.once("SIGTERM", () => process.exit(143))

const inside = async (args: ReadonlyArray<string>, limitMs: number): Promise<number | null> => {
  const program = fileURLToPath(new URL("inside.ts", import.meta.url))
  const own = [...underOwnNetwork.args, process.execPath, "--import", "tsx", program, ...args]
  const running = Programs.start(underOwnNetwork.program, own, { cwd: root })
  engine = running
  running.child.stdout?.on("data", (chunk: Buffer) => process.stdout.write(chunk))
  running.child.stderr?.on("data", (chunk: Buffer) => process.stderr.write(chunk))
  try {
    return (await running.ran(limitMs)).code
  } finally {
    await running.kill()
  }
}

const write = (table: string): void => {
  const page = Path.join(root, "docs/operating.md")
  const text = Fs.readFileSync(page, "utf8")
  const between = /(<!-- containers -->\n)[\s\S]*?(<!-- \/containers -->)/
  if (!between.test(text)) throw new Error("docs/operating.md has no place for the table")
  Fs.writeFileSync(page, text.replace(between, (_, before, after) => `${before}\n${table}\n${after}`))
}

const main = async (): Promise<number> => {
  const problems = [underOwnNetwork.program, ip, dpkgQuery, podman, runc, conmon, catatonit].map(Programs.whyNot)
    .filter((problem) => problem !== undefined)
  if (problems.length > 0) {
    for (const problem of problems) console.error(problem)
    console.error("nothing was measured")
    return 2
  }
  if (await inside(["trial", folder], 60_000) !== 0) {
    console.error("the engine may not run here, as it says above: nothing was measured")
    return 2
  }
  await prepareImage(folder)
  const code = await inside(["measure", folder, ...positionals], 20 * 60_000)
  if (code === 0 && values.write === true) write(Fs.readFileSync(Path.join(folder, "table.md"), "utf8"))
  return code ?? 1
}

process.exitCode = await main()
