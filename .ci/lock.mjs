/**
 * Completes package-lock.json, and those below test/, after a dependency was added or updated: `npm install && node
 * .ci/lock.mjs`. With `--check` it writes nothing, and fails when there would be something to write.
 *
 * npm leaves out of the lock file what the registry in use does not have, and a mirror often lacks the binaries of other
 * platforms. `npm ci` then refuses that file everywhere, because an optional dependency is "missing" in it. The packages
 * that need those binaries pin their versions, so that the entries can be written from what the lock file says already.
 *
 * It also takes out where the packages were downloaded from: that is a matter of the machine, not of the project.
 */
import * as Fs from "node:fs"

const files = [
  "",
  "test/bench/peers/",
  "test/servers/node/",
  "test/servers/effect4/",
  "test/register/programs/",
  "examples/recipes/"
].map((
  folder
) => `${folder}package-lock.json`)

const systems = ["aix", "android", "darwin", "freebsd", "linux", "netbsd", "openbsd", "openharmony", "sunos", "win32"]
const processors = ["arm64", "arm", "ia32", "loong64", "mips64el", "ppc64", "riscv64", "s390x", "x64"]

const platform = (name) => {
  const words = name.split(/[/-]/)
  const os = systems.find((system) => words.includes(system))
  const cpu = processors.find((processor) => words.includes(processor))
  if (os === undefined || cpu === undefined) return undefined
  const libc = words.some((word) => word.startsWith("musl"))
    ? "musl"
    : words.some((word) => word === "glibc" || word.startsWith("gnu"))
    ? "glibc"
    : undefined
  return { os: [os], cpu: [cpu], libc: os === "linux" && libc !== undefined ? [libc] : undefined }
}

const complete = (file) => {
  const url = new URL(`../${file}`, import.meta.url)
  const text = Fs.readFileSync(url, "utf8")
  const lock = JSON.parse(text)

  const added = []
  for (const [path, entry] of Object.entries(lock.packages)) {
    delete entry.resolved
    for (const [name, version] of Object.entries(entry.optionalDependencies ?? {})) {
      if (lock.packages[`${path}/node_modules/${name}`] || lock.packages[`node_modules/${name}`]) continue
      const target = platform(name)
      if (target === undefined || !/^\d+\.\d+\.\d+$/.test(version)) {
        console.error(`${path}: no entry for ${name}@${version}, and none can be written`)
        process.exitCode = 1
        continue
      }
      const { cpu, libc, os } = target
      lock.packages[`node_modules/${name}`] = { version, cpu, dev: entry.dev, libc, optional: true, os }
      added.push(`${name}@${version}`)
    }
  }

  const root = ""
  const sorted = Object.keys(lock.packages).filter((path) => path !== root).sort((a, b) => a.localeCompare(b, "en"))
  lock.packages = Object.fromEntries([root, ...sorted].map((path) => [path, lock.packages[path]]))
  const completed = JSON.stringify(lock, null, 2) + "\n"
  if (completed === text) {
    console.log(`${file} is complete`)
  } else if (process.argv.includes("--check")) {
    console.error(`${file} needs "node .ci/lock.mjs"`)
    process.exitCode = 1
  } else {
    Fs.writeFileSync(url, completed)
    console.log(`${file} was completed: ${added.length} packages added`)
  }
}

for (const file of files) complete(file)
