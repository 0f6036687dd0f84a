/**
 * The first page of an admin listener: what the server does now, and what else there is to ask for.
 */
import * as Effect from "effect/Effect"
import { createHash } from "node:crypto"
import type { Asked, Page } from "../model/page.js"
import type { Administered } from "./administered.js"
import { type Html, html, nothing, raw } from "./html.js"
import { type Overview, overview } from "./overview.js"
import { pageScript } from "./pageScript.js"
import { pageStyle } from "./pageStyle.js"
import { type PageState, partIds, stateOf } from "./parts.js"

const pages = [
  ["livez", "is the process alive"],
  ["readyz", "may traffic be sent to it"],
  ["startupz", "has it started"],
  ["status", "where it is, and what it waits for: hooks, background work, the time that is left"],
  ["metrics", "metrics, for Prometheus"],
  ["connections", "who is connected, doing what, since when"],
  ["requests", "the requests in flight, the oldest first"]
] as const

/** Where a page without JavaScript asks again, in seconds. */
const refreshSeconds = 2

const hashOf = (source: string): string => `'sha256-${createHash("sha256").update(source).digest("base64")}'`

/** Nothing runs, and nothing is loaded, but what is written here. */
const headers = {
  "cache-control": "no-store",
  "content-security-policy": [
    "default-src 'none'",
    `script-src ${hashOf(pageScript)}`,
    `style-src ${hashOf(pageStyle)}`,
    "img-src data:",
    "connect-src 'self'",
    "form-action 'self'",
    "base-uri 'none'",
    "frame-ancestors 'none'"
  ].join("; "),
  // a form must say whose it is, and no other site learns of this one
  "referrer-policy": "same-origin",
  "x-content-type-options": "nosniff"
}

export interface IndexOptions {
  readonly of: Administered
  readonly show: (path: string) => string
  /** The token of the actions, where they are allowed. */
  readonly token: string | undefined
}

/** HTML to a browser, and lines to whoever does not ask for it. */
export const index = ({ of, show, token }: IndexOptions) => ({ accept, url }: Asked): Effect.Effect<Page> =>
  accept.includes("text/html")
    ? Effect.map(overview(of, show), (seen) => ({
      status: 200,
      contentType: "text/html; charset=utf-8",
      headers,
      body: document(seen, baseOf(url), token)
    }))
    : Effect.map(of.phase, (phase) => ({
      status: 200,
      contentType: "text/plain",
      headers,
      body: lines(phase)
    }))

const lines = (phase: string): string => `${phase}\n\n${pages.map(([path, about]) => `/${path}: ${about}\n`).join("")}`

const document = (seen: Overview, base: string, token: string | undefined): string => {
  const state = stateOf(seen, false)
  const failed = state.failed ? raw(" data-failed") : nothing
  const listeners = seen.seen?.listeners.join(", ")
  const links = pages.map(([path, about]) => html`<dt><a href="${base}${path}">/${path}</a></dt><dd>${about}</dd>`)
  const page = html`<!doctype html>
<html lang="en" data-phase="${state.phase}"${failed}><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1"><title>${state.title}</title>
<link rel="icon" id="icon" href="${state.icon}">
<noscript><meta http-equiv="refresh" content="${refreshSeconds}"></noscript>
<style>${raw(pageStyle)}</style></head>
<body data-events="${base}events"><main>
<div id="status" role="status">${part(state, "status")}</div>
<p class="who">${seen.process}${listeners ? `, serving ${listeners}` : ""}</p>
<div id="time">${part(state, "time")}</div>
<div id="numbers">${part(state, "numbers")}</div>
${partIds.slice(3).map((id) => html`<section id="${id}">${part(state, id)}</section>`)}
${token === undefined ? nothing : actions(seen, base, token)}
</main><footer><h2>For programs</h2><dl>${links}</dl></footer>
<script>${raw(pageScript)}</script></body></html>
`
  return page.html
}

const part = ({ parts }: PageState, id: (typeof partIds)[number]): Html => raw(parts[id])

/** Two steps: what a button does to everybody must not be done by one slip. */
const actions = ({ phase }: Overview, base: string, token: string): Html =>
  phase === "Serving" || phase === "LameDuck"
    ? html`<section id="actions"><details><summary>Drain now…</summary>
<p>The server stops accepting connections${
      phase === "LameDuck" ? ", and its lame duck ends" : ", without a lame duck"
    }. It answers what is in flight, and closes. This cannot be taken back.</p>
<form method="post" action="${base}drain"><input type="hidden" name="token" value="${token}">
<button>Drain now</button></form></details></section>`
    : nothing

/** Where the router is mounted without a slash at its end, a relative link begins one level up. */
const baseOf = (url: string): string => {
  const path = url.split("?", 1)[0] ?? ""
  if (path.endsWith("/")) return ""
  const last = path.slice(path.lastIndexOf("/") + 1)
  return /^[\w.~-]*$/.test(last) ? `${last}/` : ""
}
