/**
 * A fixture, the sources and Effect in one file: a process that runs it starts in a quarter of a second of CPU time,
 * and in two where it has to find, read and translate a thousand modules.
 */
import { buildSync } from "esbuild"
import * as Fs from "node:fs"
import { basename, join } from "node:path"
import { fileURLToPath } from "node:url"

/** What a fixture uses of other libraries stays as it is installed. */
const external = (root: string): ReadonlyArray<string> => {
  const { devDependencies } = JSON.parse(Fs.readFileSync(join(root, "package.json"), "utf8")) as {
    readonly devDependencies: Readonly<Record<string, string>>
  }
  return [...Object.keys(devDependencies).filter((name) => !/^(@effect\/|effect$)/.test(name)), "undici", "ws"]
}

/** As esbuild has it: whether packages are part of the bundle, or imported as they are installed. */
export type Packages = "bundle" | "external"

const bundle = (root: string, fixture: URL, packages: Packages): string =>
  buildSync({
    entryPoints: [fileURLToPath(fixture)],
    absWorkingDir: root,
    tsconfig: join(root, "tsconfig.json"),
    bundle: true,
    write: false,
    platform: "node",
    target: "node20",
    format: "esm",
    packages,
    external: [...external(root)],
    // errors and spans have the names of classes and functions
    keepNames: true,
    legalComments: "none",
    logLevel: "error",
    define: { "import.meta.url": JSON.stringify(fixture.href) },
    banner: {
      js: `import { createRequire as requireOf } from "node:module"; const require = requireOf(import.meta.url);`
    }
  }).outputFiles[0]?.text ?? ""

/** A fixture that is translated as it is loaded, module by module. */
export const asModules = (fixture: URL): ReadonlyArray<string> => ["--import", "tsx", fileURLToPath(fixture)]

/**
 * What `node` is told to run the fixture. In a run of vitest, whose configuration makes a folder for them, each is
 * bundled once; elsewhere it is translated as it is loaded.
 */
export const nodeArgs = (fixture: URL, packages: Packages = "bundle"): ReadonlyArray<string> => {
  const folder = process.env["FIXTURES"]
  const source = fileURLToPath(fixture)
  if (folder === undefined) return asModules(fixture)
  // a fixture may start others: there, this module is part of a bundle
  const root = join(folder, "../../")
  const name = source.slice(root.length).replaceAll(/[^\w.]/g, "-").replace(/\.ts$/, `-${packages}.mjs`)
  const file = join(folder, name)
  if (!Fs.existsSync(file)) {
    // another process may be at it: whoever is first, the file is whole
    const own = join(folder, `${process.pid}-${basename(name)}`)
    Fs.writeFileSync(own, bundle(root, fixture, packages))
    Fs.renameSync(own, file)
  }
  return [file]
}
