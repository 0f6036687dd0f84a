/**
 * npm run build: compiles `src` to `dist`. Declarations stay a file a module. Code is put together into a few files, since
 * what a program waits for when it starts grows with their number.
 */
import { transform } from "esbuild"
import { execFileSync } from "node:child_process"
import * as Fs from "node:fs"
import * as Path from "node:path"
import { rollup } from "rollup"

const root = Path.resolve(import.meta.dirname, "..")

/** What a module of these leads to is a file of its own, except what an earlier one leads to. */
const doors = { register: "node", check: "check", promise: "core" }

/** Most programs on Effect load this. */
const server = "NodeHttpServer"

/** What only programs without Effect load. */
const plain = "plain"

/** With their streams, programs that use none would load seventy modules of Effect. */
const doorsWithout = ["effect/Stream", "effect/SubscriptionRef"]

/** Compiles the package in `directory`, with the configuration of this name in it. */
export const build = async (directory, configuration) => {
  const dist = Path.join(directory, "dist")
  Fs.rmSync(dist, { recursive: true, force: true })
  execFileSync(process.execPath, [Path.join(root, "node_modules/typescript/bin/tsc"), "-p", configuration], {
    cwd: directory,
    stdio: "inherit"
  })
  const { bin, exports, peerDependenciesMeta } = JSON.parse(
    Fs.readFileSync(Path.join(directory, "package.json"), "utf8")
  )
  const files = [...Object.values(exports).flatMap((each) => each?.default ?? []), ...Object.values(bin)]
    .filter((file) => file.endsWith(".js"))
  const input = Object.fromEntries(
    files.map((file) => [Path.relative("dist", file).slice(0, -".js".length), Path.join(directory, file)])
  )
  const bundle = await rollup({
    input,
    external: (id) => !/^[./]/.test(id),
    plugins: [withSourceMaps, withoutComments],
    // packages are loaded for what they export: a chunk does not import what it does not use
    treeshake: { moduleSideEffects: "no-external" },
    onwarn: (warning) => {
      throw new Error(`rollup: ${warning.message}`)
    }
  })
  const optional = Object.keys(peerDependenciesMeta).filter((name) => peerDependenciesMeta[name].optional)
  let chunks
  const { output } = await bundle.generate({
    dir: dist,
    format: "es",
    sourcemap: true,
    generatedCode: "es2015",
    hoistTransitiveImports: false,
    minifyInternalExports: false,
    chunkFileNames: "internal/[name].js",
    manualChunks: (id, { getModuleInfo }) => (chunks ??= chunksOf(input, optional, getModuleInfo)).get(id)
  })
  await bundle.close()
  for (const { fileName, imports } of output) {
    const slow = doorsWithout.find((name) => imports?.includes(name))
    if (slow !== undefined && [plain, ...Object.values(doors)].some((name) => fileName === `internal/${name}.js`)) {
      throw new Error(
        `${fileName} imports ${slow}, which takes a third of the time in which a program without Effect starts`
      )
    }
  }
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

/**
 * Node reads them each time that a program starts, and reads code that has a character beyond ASCII as one of two bytes a
 * character. The declarations have the comments.
 */
const withoutComments = {
  name: "without-comments",
  renderChunk: async (code) => {
    const { code: shorter, map } = await transform(code, { charset: "ascii", legalComments: "none", sourcemap: true })
    return { code: shorter, map }
  }
}

/**
 * The file of each module. Beyond what the doors lead to, those are together that need the same optional packages, so that
 * none is loaded with one that needs more. What a server on Effect does not lead to is apart: most programs load no more
 * than that. A door is a file of its own: what it does when it is loaded is its own.
 */
const chunksOf = (input, optional, getModuleInfo) => {
  const chunks = new Map()
  const visit = (id, chunk) => {
    if (chunks.has(id) || getModuleInfo(id).isExternal) return
    chunks.set(id, chunk)
    for (const each of getModuleInfo(id).importedIds) visit(each, chunk)
  }
  for (const [door, chunk] of Object.entries(doors)) {
    for (const each of getModuleInfo(input[door]).importedIds) visit(each, chunk)
  }
  const ofServer = new Set()
  const reach = (id) => {
    if (ofServer.has(id) || getModuleInfo(id).isExternal) return
    ofServer.add(id)
    getModuleInfo(id).importedIds.forEach(reach)
  }
  reach(input[server])
  for (const [id, chunk] of chunks) if (chunk === doors.promise && !ofServer.has(id)) chunks.set(id, plain)
  const needs = new Map()
  const needsOf = (id) => {
    if (needs.has(id)) return needs.get(id)
    const { importedIds, isExternal } = getModuleInfo(id)
    const found = new Set(isExternal ? optional.filter((name) => `${id}/`.startsWith(`${name}/`)) : [])
    needs.set(id, found)
    for (const each of importedIds) for (const name of needsOf(each)) found.add(name)
    return found
  }
  const own = new Set(
    Object.entries(input).flatMap(([name, id]) => name in doors || name.startsWith("bin/") ? [id] : [])
  )
  for (const id of Object.values(input)) needsOf(id)
  for (const [id, names] of needs) {
    if (chunks.has(id) || own.has(id) || getModuleInfo(id).isExternal) continue
    const parts = ["effect", ...Array.from(names, (name) => Path.basename(name)).sort()]
    chunks.set(id, [...parts, ...(ofServer.has(id) ? [] : ["more"])].join("-"))
  }
  return chunks
}

if (process.argv[1] === import.meta.filename) await build(root, "tsconfig.build.json")
