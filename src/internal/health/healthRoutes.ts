/**
 * How a probe is asked over HTTP, and what it says: as the API server of Kubernetes does.
 */
import * as HttpMiddleware from "@effect/platform/HttpMiddleware"
import * as HttpServerRequest from "@effect/platform/HttpServerRequest"
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import * as Effect from "effect/Effect"
import { type Route, wildcard } from "../effect/routing.js"
import type { CheckResult, HealthService, Probe, RouteOptions } from "../model/health.js"
import { assertNames } from "../policy/optionNames.js"

const probes = [["live", "livez"], ["ready", "readyz"], ["startup", "startupz"]] as const

const routeOptionNames = Object.keys({ reasons: true } satisfies { readonly [K in keyof RouteOptions]-?: true })

export const routesOf = <R>(
  health: Effect.Effect<HealthService, never, R>,
  options: RouteOptions
): ReadonlyArray<Route<R>> => {
  assertNames("options", options, routeOptionNames)
  const { reasons = false } = options
  return probes.flatMap(([probe, name]) => [
    { path: `/${name}`, handler: answerAll(health, probe, name, reasons) },
    // names may have slashes in them, as those of the API server do
    { path: `/${name}/*`, handler: answerOne(health, probe, reasons) }
  ])
}

const answerAll = <R>(health: Effect.Effect<HealthService, never, R>, probe: Probe, name: string, reasons: boolean) =>
  Effect.gen(function*() {
    const { url } = yield* HttpServerRequest.HttpServerRequest
    const query = new URLSearchParams(url.includes("?") ? url.slice(url.indexOf("?")) : "")
    const { checks, passed, unknown } = yield* (yield* health).probe(probe, { exclude: query.getAll("exclude") })
    if (passed && !query.has("verbose")) return text(200, "ok")
    const lines = checks.map((check) => `${line(check, reasons)}\n`)
    if (unknown.length > 0) {
      const names = unknown.map((name) => JSON.stringify(name)).join(",")
      lines.push(`warn: some health checks cannot be excluded: no matches for ${names}\n`)
    }
    return text(passed ? 200 : 500, `${lines.join("")}${name} check ${passed ? "passed" : "failed"}\n`)
  }).pipe(HttpMiddleware.withLoggerDisabled)

const answerOne = <R>(health: Effect.Effect<HealthService, never, R>, probe: Probe, reasons: boolean) =>
  Effect.gen(function*() {
    const name = yield* wildcard
    const { checks: [check] } = yield* (yield* health).probe(probe, { only: [name] })
    if (check === undefined) return text(404, "404 page not found\n")
    return check.outcome === "Failed"
      ? text(500, `internal server error: ${shown(check.reason, reasons)}\n`)
      : text(200, "ok")
  }).pipe(HttpMiddleware.withLoggerDisabled)

const line = ({ name, outcome, reason }: CheckResult, reasons: boolean): string =>
  outcome === "Passed"
    ? `[+]${name} ok`
    : outcome === "Excluded"
    ? `[+]${name} excluded: ok`
    : `[-]${name} failed: ${shown(reason, reasons)}`

const shown = (reason: string | undefined, reasons: boolean): string =>
  reasons && reason !== undefined ? reason : "reason withheld"

const text = (status: number, body: string) =>
  HttpServerResponse.text(body, {
    status,
    contentType: "text/plain; charset=utf-8",
    headers: { "cache-control": "no-store", "x-content-type-options": "nosniff" }
  })
