/**
 * A package registry that has the packed tarballs that it is given, so that what the README tells people to type can be
 * typed before there is a release. For every other package it sends its clients to their own registry.
 *
 * node .ci/registry.mjs REGISTRY TARBALL…: prints its address.
 */
import { execFileSync } from "node:child_process"
import { createHash } from "node:crypto"
import * as Fs from "node:fs"
import { createServer } from "node:http"

const [upstream, ...tarballs] = process.argv.slice(2)
const packages = tarballs.map((tarball) => {
  const content = Fs.readFileSync(tarball)
  const manifest = JSON.parse(execFileSync("tar", ["-xzOf", tarball, "package/package.json"], { encoding: "utf8" }))
  return { content, manifest, path: `/${manifest.name}/-/${manifest.name}-${manifest.version}.tgz` }
})

const server = createServer((request, response) => {
  const tarball = packages.find(({ path }) => path === request.url)
  if (tarball !== undefined) return response.end(tarball.content)
  const named = packages.filter(({ manifest }) => request.url === `/${manifest.name}`)
  if (named.length === 0) {
    return response.writeHead(302, { location: new URL(request.url.slice(1), upstream).href }).end()
  }
  const { port } = server.address()
  const versions = Object.fromEntries(named.map(({ content, manifest, path }) => {
    const integrity = `sha512-${createHash("sha512").update(content).digest("base64")}`
    return [manifest.version, { ...manifest, dist: { integrity, tarball: `http://127.0.0.1:${port}${path}` } }]
  }))
  const latest = Object.keys(versions).sort().at(-1)
  response.setHeader("content-type", "application/json")
  response.end(JSON.stringify({ name: named[0].manifest.name, "dist-tags": { latest }, versions }))
})
server.listen(0, "127.0.0.1", () => console.log(`http://127.0.0.1:${server.address().port}/`))
