/**
 * The `package.json` of the line for Effect 4, made from that of the line for Effect 3: the same package, with the peers of
 * Effect 4 and a version of its own.
 */
import * as Fs from "node:fs"
import * as Path from "node:path"
import { root } from "./port.mjs"

/** HTTP, sockets and RPC are unstable modules of `effect` there, and may change with each minor release. */
export const peers = {
  "@effect/platform-node": "~4.1.0",
  "@effect/vitest": "^4.0.5",
  effect: "~4.1.0"
}

/** What `@effect/platform-node` wants. */
const node = ">=22.19.0"

/** 0.4.x where the line for Effect 3 is 0.3.x, and in time 4.x where that is 3.x: the two are released together. */
export const versionOf = (effect3) => {
  const version = effect3.replace(/^(0\.)?3\./, (_, zero = "") => `${zero}4.`)
  if (version === effect3) throw new Error(`${effect3} is no version of the line for Effect 3: 0.3.x, or 3.x`)
  return version
}

export const manifest = () => {
  const effect3 = JSON.parse(Fs.readFileSync(Path.join(root, "package.json"), "utf8"))
  const optional = effect3.peerDependenciesMeta
  const { allowScripts: _, devDependencies: __, overrides: ___, scripts: ____, ...rest } = effect3
  return {
    ...rest,
    version: versionOf(effect3.version),
    peerDependencies: peers,
    peerDependenciesMeta: Object.fromEntries(
      Object.keys(peers).flatMap((name) => optional[name] === undefined ? [] : [[name, optional[name]]])
    ),
    engines: { node }
  }
}
