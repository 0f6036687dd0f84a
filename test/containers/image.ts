/**
 * What examples/deploy/Dockerfile is built of, where there is no registry of images: the root of `node:22-slim`, from
 * packages of Debian as this machine has them and from Node and npm of npm; and an app, as its user has it.
 */
import { spawn } from "node:child_process"
import { once } from "node:events"
import * as Fs from "node:fs"
import * as Path from "node:path"
import { run } from "../servers/prepare.js"
import * as Programs from "../support/program.js"
import { waitFor } from "../support/wait.js"
import { deploy, filesIn, root } from "./paths.js"

/** What `node:22-slim` has. */
const versions = { node: 22, npm: 10 }

const debian = ["dash", "coreutils", "libc6", "libgcc-s1", "libstdc++6"]

/** These packages, and what they depend on: of alternatives the first. */
const withDependencies = (names: ReadonlyArray<string>): ReadonlySet<string> => {
  const all = new Set<string>()
  const add = (name: string): void => {
    if (all.has(name)) return
    all.add(name)
    const fields = Programs.outputOf(Programs.dpkgQuery, ["-W", "-f", "${Pre-Depends},${Depends}\n", name])
    for (const dependency of fields.split("\n")[0]?.split(",") ?? []) {
      const [, needed] = /^\s*([a-z0-9][a-z0-9+.-]+)/.exec(dependency) ?? []
      // scripts of packages want it, and none is run
      if (needed !== undefined && !/^(debconf|dpkg|debianutils)$/.test(needed)) add(needed)
    }
  }
  names.forEach(add)
  return all
}

/** Debian has `/bin` and the like as links into `/usr`; lists of files have both. */
const inUsr = ["bin", "lib", "lib64", "sbin"]

const copyDebian = (base: string): void => {
  for (const name of inUsr) {
    Fs.mkdirSync(Path.join(base, "usr", name), { recursive: true })
    Fs.symlinkSync(`usr/${name}`, Path.join(base, name))
  }
  for (const name of withDependencies(debian)) {
    for (const file of Programs.outputOf(Programs.dpkgQuery, ["-L", name]).split("\n")) {
      if (!/^\/(usr\/)?(bin|sbin|lib|lib64)\//.test(file)) continue
      const stats = Fs.lstatSync(file, { throwIfNoEntry: false })
      if (stats === undefined || stats.isDirectory()) continue
      Fs.cpSync(file, Path.join(base, file.replace(/^\/(usr\/)?/, "/usr/")), { verbatimSymlinks: true })
    }
  }
}

const installNode = async (base: string, folder: string): Promise<void> => {
  const packages = [`node-linux-${process.arch}@${versions.node}`, `npm@${versions.npm}`]
  const own = ["--no-save", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel", "error"]
  await run(Programs.npm, ["install", "--prefix", folder, ...own, ...packages])
  const bin = Path.join(base, "usr/local/bin")
  const modules = Path.join(base, "usr/local/lib/node_modules")
  Fs.mkdirSync(bin, { recursive: true })
  Fs.mkdirSync(modules, { recursive: true })
  Fs.cpSync(Path.join(folder, `node_modules/node-linux-${process.arch}/bin/node`), Path.join(bin, "node"))
  Fs.cpSync(Path.join(folder, "node_modules/npm"), Path.join(modules, "npm"), { recursive: true })
  Fs.chmodSync(Path.join(modules, "npm/bin/npm-cli.js"), 0o755)
  Fs.symlinkSync("../lib/node_modules/npm/bin/npm-cli.js", Path.join(bin, "npm"))
}

const makeBase = async (folder: string): Promise<void> => {
  const { base } = filesIn(folder)
  copyDebian(base)
  await installNode(base, Path.join(folder, "node"))
  const files = {
    "etc/passwd": "root:x:0:0::/root:/bin/sh\nnode:x:1000:1000::/home/node:/bin/sh\n",
    "etc/group": "root:x:0:\nnode:x:1000:\n"
  }
  for (const name of ["dev", "etc", "home/node", "proc", "root", "sys", "tmp"]) {
    Fs.mkdirSync(Path.join(base, name), { recursive: true })
  }
  for (const [name, text] of Object.entries(files)) Fs.writeFileSync(Path.join(base, name), text)
}

interface Manifest {
  readonly version: string
  readonly peerDependencies: Readonly<Record<string, string>>
  readonly devDependencies: Readonly<Record<string, string>>
}

/** The app of examples/deploy, with quiesce as it is published, and the lock file of its user. */
const makeApp = async (folder: string): Promise<void> => {
  const { app, cache } = filesIn(folder)
  Fs.mkdirSync(app)
  for (const file of ["Dockerfile", ".dockerignore", "server.ts"]) Fs.copyFileSync(deploy(file), Path.join(app, file))
  const { devDependencies, peerDependencies, version } = JSON.parse(
    Fs.readFileSync(Path.join(root, "package.json"), "utf8")
  ) as Manifest
  const of = (ranges: Readonly<Record<string, string>>, names: ReadonlyArray<string>) =>
    Object.fromEntries(names.map((name) => [name, ranges[name]]))
  const manifest = {
    name: "app",
    private: true,
    type: "module",
    scripts: { build: "tsc", start: "node dist/server.js" },
    dependencies: {
      quiesce: version,
      ...of(peerDependencies, ["effect", "@effect/platform", "@effect/platform-node"])
    },
    devDependencies: of(devDependencies, ["typescript", "@types/node"])
  }
  const tsconfig = {
    compilerOptions: { target: "ES2022", module: "NodeNext", strict: true, skipLibCheck: true, outDir: "dist" },
    files: ["server.ts"]
  }
  Fs.writeFileSync(Path.join(app, "package.json"), JSON.stringify(manifest))
  Fs.writeFileSync(Path.join(app, "tsconfig.json"), JSON.stringify(tsconfig))

  await run(Programs.npm, ["pack", "--silent", "--pack-destination", folder])
  const tarball = Path.join(folder, `quiesce-${version}.tgz`)
  const upstream = Programs.outputOf(Programs.npm, ["config", "get", "registry"]).trim()
  const registry = spawn(process.execPath, [Path.join(root, ".ci/registry.mjs"), upstream, tarball], {
    stdio: ["ignore", "pipe", "inherit"]
  })
  try {
    const [line] = await waitFor("the registry to listen", once(registry.stdout, "data"), 30_000) as [Buffer]
    // a lock file that says where each package is: `npm ci` then takes it from the cache without asking anybody
    const own = ["--no-omit-lockfile-registry-resolved", "--ignore-scripts", "--no-audit", "--no-fund"]
    const args = ["install", "--prefix", app, "--cache", cache, "--registry", line.toString().trim(), ...own]
    await run(Programs.npm, [...args, "--loglevel", "error"])
  } finally {
    registry.kill("SIGKILL")
  }
  Fs.rmSync(Path.join(app, "node_modules"), { recursive: true })
}

export const prepareImage = async (folder: string): Promise<void> => {
  console.log("the files of the base image, and of the app")
  await makeBase(folder)
  await makeApp(folder)
  Fs.writeFileSync(
    filesIn(folder).npmrc,
    "offline=true\ncache=/cache\naudit=false\nfund=false\nupdate-notifier=false\n"
  )
}
