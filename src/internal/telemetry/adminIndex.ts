/**
 * The first page of an admin listener: what there is to ask for.
 */
import * as HttpServerRequest from "@effect/platform/HttpServerRequest"
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import * as Effect from "effect/Effect"
import { Server } from "../model/server.js"

const pages = [
  ["livez", "is the process alive"],
  ["readyz", "may traffic be sent to it"],
  ["startupz", "has it started"],
  ["metrics", "metrics, for Prometheus"],
  ["connections", "who is connected, doing what, since when"],
  ["requests", "the requests in flight, the oldest first"]
] as const

const headers = {
  "cache-control": "no-store",
  "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'",
  "x-content-type-options": "nosniff"
}

/** HTML to a browser, and lines to whoever does not ask for it. */
export const index = Effect.gen(function*() {
  const { phase } = yield* Server
  const state = yield* phase.get
  const { headers: asked, originalUrl } = yield* HttpServerRequest.HttpServerRequest
  if (!(asked["accept"] ?? "").includes("text/html")) {
    const lines = pages.map(([path, about]) => `/${path}: ${about}\n`)
    return HttpServerResponse.text(`${state}\n\n${lines.join("")}`, { headers })
  }
  const rows = pages.map(([path, about]) =>
    `<dt><a href="${baseOf(originalUrl)}${path}">/${path}</a></dt><dd>${about}</dd>`
  )
  return HttpServerResponse.text(
    `<!doctype html><html lang="en"><head><meta charset="utf-8">`
      + `<meta name="viewport" content="width=device-width"><title>quiesce: ${state}</title>`
      + `<style>:root{color-scheme:light dark}body{font:1rem/1.5 system-ui,sans-serif;margin:2rem}`
      + `dt{font-family:ui-monospace,monospace}dd{margin:0 0 .5rem}</style></head>`
      + `<body><h1>${state}</h1><dl>${rows.join("")}</dl></body></html>\n`,
    { contentType: "text/html; charset=utf-8", headers }
  )
})

/** Where the router is mounted without a slash at its end, a relative link begins one level up. */
const baseOf = (url: string): string => {
  const path = url.split("?", 1)[0] ?? ""
  if (path.endsWith("/")) return ""
  const last = path.slice(path.lastIndexOf("/") + 1)
  return /^[\w.~-]*$/.test(last) ? `${last}/` : ""
}
