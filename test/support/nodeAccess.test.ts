import { join } from "node:path"
import { fileURLToPath } from "node:url"
import * as Ts from "typescript"
import { beforeAll, describe, expect, it } from "vitest"
import { nodeAccessIn } from "./nodeAccess.js"

// What depends on Node's insides is in internals.ts and patch.ts, so that one who reads those two knows all of it.

const root = fileURLToPath(new URL("../../", import.meta.url))

/** A file among the sources, with all that no file of them may have: one a line. */
const badFile = join(root, "src/internal/server/bad.ts").replaceAll("\\", "/")

const bad: Readonly<Record<string, string>> = {
  "a field, by a cast": "export const a = (socket as unknown as { readonly parser?: object }).parser",
  "a field, in an interface": "export interface B { readonly _handle?: object }",
  "a field, by its name": `export const c = Reflect.get(socket, "_handle")`,
  "a field, in brackets": `export const d = (socket as unknown as Record<string, object>)["_handle"]`,
  "a field, where there is one": `export const e = "_closed" in response && response._closed`,
  "a field, taken apart": "export const f = ({ _parent }: Record<string, object>) => _parent",
  "a symbol": "export const g = Object.getOwnPropertySymbols(socket)",
  "a method": "socket.destroySoon = () => {}",
  "a method, by an interface": "export const i = (of: { end: () => void }) => { of.end = () => {} }",
  "a method, in brackets": `response["end"] = () => response`,
  "a field that Node has": "response.statusMessage ||= String(1)",
  "a method that all inherit": "Net.Server.prototype.close = function() { return this }",
  "a property that is defined": `Object.defineProperty(server, "emit", { value: () => true })`,
  "a property that is set": `Reflect.set(process, "kill", () => true)`,
  "a property that is deleted": `Reflect.deleteProperty(socket, "write")`,
  "several at once": "Object.assign(server, { address: () => null })",
  "a method of a list": "export const n = (list: Array<unknown>) => { list.push = () => 0 }"
}

const head = `import type * as Http from "node:http"
import * as Net from "node:net"
declare const server: Net.Server
declare const socket: Net.Socket
declare const response: Http.ServerResponse
`

/** What is a matter of ours, or of Effect's, or documented. */
const good = `
const key = Symbol("ours")
export const own = (socket as { readonly [key]?: object })[key]
Object.defineProperty(socket, key, { value: 1 })
export const tagged = (value: { readonly _tag: string }) => value._tag
process.exitCode = 1
Reflect.deleteProperty(process.env, "ANY")
export const failed = Object.assign(new Error("any"), { code: "ANY" })
export const ours = { run: () => {}, since: 0 }
ours.run = () => {}
ours.since = 1
export const code = (error: Error) => (error as { readonly code?: unknown }).code
`

let found: ReadonlyArray<string> = []
beforeAll(() => {
  const config = Ts.getParsedCommandLineOfConfigFile(join(root, "tsconfig.build.json"), {}, {
    ...Ts.sys,
    onUnRecoverableConfigFileDiagnostic: ({ messageText }) => {
      throw new Error(Ts.flattenDiagnosticMessageText(messageText, "\n"))
    }
  })
  if (config === undefined) throw new Error("there is no tsconfig.build.json")
  const host = Ts.createCompilerHost(config.options, true)
  const { getSourceFile } = host
  const text = head + Object.values(bad).join("\n") + good
  host.getSourceFile = (name, ...rest) =>
    name === badFile ? Ts.createSourceFile(name, text, Ts.ScriptTarget.Latest, true) : getSourceFile(name, ...rest)
  found = nodeAccessIn(Ts.createProgram([...config.fileNames, badFile], config.options, host), root)
}, 60_000)

const inBad = (line: number) => found.filter((each) => each.startsWith(`src/internal/server/bad.ts:${line}: `))

describe("what Node does not document", () => {
  it("nothing else in src/ reads or replaces", () => {
    expect(found.filter((each) => !each.startsWith("src/internal/server/bad.ts:"))).toEqual([])
  })

  Object.keys(bad).forEach((what, at) => {
    it(`is seen: ${what}`, () => {
      expect(inBad(head.split("\n").length + at)).not.toEqual([])
    })
  })

  it("what is ours, Effect's or documented is none of it", () => {
    const last = head.split("\n").length + Object.keys(bad).length - 1
    const more = found.filter((each) => {
      const [, line] = /bad\.ts:(\d+): /.exec(each) ?? []
      return Number(line) > last
    })
    expect(more).toEqual([])
  })
})
