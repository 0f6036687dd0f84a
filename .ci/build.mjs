/**
 * npm run build: compiles `src` to `dist`. Declarations stay a file a module. Code is put together into a few files, since
 * what a program waits for when it starts is their number: with one for each module, 217 were read for `quiesce`.
 */
import { execFileSync } from "node:child_process"
import * as Fs from "node:fs"
import * as Path from "node:path"
import { rollup } from "rollup"

const root = Path.resolve(import.meta.dirname, "..")

/**
 * What a module of these leads to is a file of its own, except what an earlier one leads to: so none loads what it does
 * not need, such as the platform packages, where it is there to load little.
 */
const doors = ["register", "check", "promise", "index", "rpc"]

/** Compiles the package in `directory`, with the configuration of this name in it. */
export const build = async (directory, configuration) => {
  const dist = Path.join(directory, "dist")
  Fs.rmSync(dist, { recursive: true, force: true })
  execFileSync(process.execPath, [Path.join(root, "node_modules/typescript/bin/tsc"), "-p", configuration], {
    cwd: directory,
    stdio: "inherit"
  })
  const { bin, exports } = JSON.parse(Fs.readFileSync(Path.join(directory, "package.json"), "utf8"))
  const files = [...Object.values(exports).flatMap((each) => each?.default ?? []), ...Object.values(bin)]
    .filter((file) => file.endsWith(".js"))
  const input = Object.fromEntries(
    files.map((file) => [Path.relative("dist", file).slice(0, -".js".length), Path.join(directory, file)])
  )
  const bundle = await rollup({
    input,
    external: (id) => !/^[./]/.test(id),
    plugins: [withSourceMaps],
    onwarn: (warning) => {
      throw new Error(`rollup: ${warning.message}`)
    }
  })
  let chunks
  const { output } = await bundle.generate({
    dir: dist,
    format: "es",
    sourcemap: true,
    generatedCode: "es2015",
    hoistTransitiveImports: false,
    minifyInternalExports: false,
    chunkFileNames: "internal/[name].js",
    manualChunks: (id, { getModuleInfo }) => (chunks ??= chunksOf(input, getModuleInfo)).get(id)
  })
  await bundle.close()
  for (const name of Fs.readdirSync(dist, { recursive: true })) {
    if (/\.js(\.map)?$/.test(name)) Fs.rmSync(Path.join(dist, name))
  }
  for (const file of output) {
    const to = Path.join(dist, file.fileName)
    Fs.mkdirSync(Path.dirname(to), { recursive: true })
    Fs.writeFileSync(to, file.type === "chunk" ? file.code : file.source)
  }
}

const withSourceMaps = {
  name: "source-maps",
  load: (id) => ({ code: Fs.readFileSync(id, "utf8"), map: JSON.parse(Fs.readFileSync(`${id}.map`, "utf8")) })
}

/** The file of each module that a door leads to. A door is a file of its own: what it does when it is loaded is its own. */
const chunksOf = (input, getModuleInfo) => {
  const chunks = new Map()
  const visit = (id, door) => {
    if (chunks.has(id) || getModuleInfo(id).isExternal) return
    chunks.set(id, door)
    for (const each of getModuleInfo(id).importedIds) visit(each, door)
  }
  for (const door of doors) for (const each of getModuleInfo(input[door]).importedIds) visit(each, door)
  return chunks
}

if (process.argv[1] === import.meta.filename) await build(root, "tsconfig.build.json")
