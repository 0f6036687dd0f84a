/** What has to be there before anything is measured, so that `npm run bench` is one command on a fresh machine. */
import { spawnSync } from "node:child_process"
import * as Fs from "node:fs"
import { fileURLToPath } from "node:url"
import { goBinary, quiesceForEffect4 } from "./servers.js"

const root = fileURLToPath(new URL("../../", import.meta.url))
const peers = fileURLToPath(new URL("./peers/", import.meta.url))

const run = (command: string, args: ReadonlyArray<string>, env: Readonly<Record<string, string>> = {}): boolean => {
  const { error, status } = spawnSync(command, [...args], {
    cwd: root,
    env: { ...process.env, ...env },
    stdio: ["ignore", "inherit", "inherit"]
  })
  return error === undefined && status === 0
}

/** The peers, as their lock file says; again only when that has changed. */
const installPeers = (): void => {
  const installed = `${peers}node_modules/.package-lock.json`
  const lock = `${peers}package-lock.json`
  if (Fs.existsSync(installed) && Fs.statSync(installed).mtimeMs >= Fs.statSync(lock).mtimeMs) return
  console.log("npm ci --prefix test/bench/peers")
  if (!run("npm", ["ci", "--prefix", peers, "--no-audit", "--no-fund", "--loglevel", "error"])) {
    throw new Error("the peers could not be installed")
  }
}

/** quiesce as it is published: compiled. */
const build = (): void => {
  if (!run("npm", ["run", "--silent", "build"])) throw new Error("quiesce could not be built")
}

/** The line for Effect 4, beside the Effect 4 of the peers. */
const buildForEffect4 = (): void => {
  Fs.rmSync(quiesceForEffect4, { recursive: true, force: true })
  const [major = 0, minor = 0] = process.versions.node.split(".").map(Number)
  if (major < 22 || (major === 22 && minor < 19)) {
    console.log(`Effect 4 asks for Node 22.19, and this is ${process.versions.node}: quiesce for it is left out.`)
    return
  }
  if (!run("npm", ["run", "--silent", "effect4"])) throw new Error("quiesce for Effect 4 could not be built")
  for (const part of ["dist", "package.json"]) {
    Fs.cpSync(`${root}.out/effect4/package/${part}`, `${quiesceForEffect4}/${part}`, { recursive: true })
  }
}

const buildGo = (): void => {
  Fs.rmSync(goBinary, { force: true })
  if (spawnSync("go", ["version"]).status !== 0) {
    console.log("There is no Go here, so its rows are left out. On Debian, `apt-get install golang-go` adds them.")
    return
  }
  if (!run("go", ["build", "-o", goBinary, `${peers}go/main.go`], { GO111MODULE: "off" })) {
    console.log("The Go server could not be built, so its rows are left out.")
  }
}

export const prepare = (): void => {
  Fs.mkdirSync(`${root}.out/bench`, { recursive: true })
  installPeers()
  build()
  buildForEffect4()
  buildGo()
}

const versionOf = (name: string): string => {
  const { version } = JSON.parse(Fs.readFileSync(`${peers}node_modules/${name}/package.json`, "utf8")) as {
    readonly version: string
  }
  return `${name} ${version}`
}

/** Against what. */
export const versions = (): string => {
  const { dependencies } = JSON.parse(Fs.readFileSync(`${peers}package.json`, "utf8")) as {
    readonly dependencies: Readonly<Record<string, string>>
  }
  const stock = ["effect", "@effect/platform", "@effect/platform-node"].map((name) => {
    const { version } = JSON.parse(Fs.readFileSync(`${root}node_modules/${name}/package.json`, "utf8")) as {
      readonly version: string
    }
    return `${name} ${version}`
  })
  const go = Fs.existsSync(goBinary)
    ? [String(spawnSync("go", ["env", "GOVERSION"]).stdout).trim().replace("go", "Go ")]
    : []
  // that one is measured by nobody: it draws the charts
  const measured = Object.keys(dependencies).filter((name) => name !== "echarts")
  return [...stock, ...measured.map(versionOf), ...go].join(" · ")
}
