/**
 * How a probe is asked over HTTP, and what it says: as the API server of Kubernetes does.
 */
import * as Effect from "effect/Effect"
import type { CheckResult, HealthService, Probe, RouteOptions } from "../model/health.js"
import { type Asked, type Page, type PageRoute, queryOf, textPage } from "../model/page.js"
import { assertNames } from "../policy/optionNames.js"
import { isDraining } from "./health.js"

const probes = [["live", "livez"], ["ready", "readyz"], ["startup", "startupz"]] as const

const routeOptionNames = Object.keys({ reasons: true } satisfies { readonly [K in keyof RouteOptions]-?: true })

export const healthPages = <R>(
  health: Effect.Effect<Pick<HealthService, "probe">, never, R>,
  options: RouteOptions
): ReadonlyArray<PageRoute<R>> => {
  assertNames("options", options, routeOptionNames)
  const { reasons = false } = options
  return probes.flatMap(([probe, name]): ReadonlyArray<PageRoute<R>> => [
    {
      path: `/${name}`,
      page: (asked) => Effect.flatMap(health, (health) => answerAll(health, probe, name, reasons, asked))
    },
    // names may have slashes in them, as those of the API server do
    {
      path: `/${name}/*`,
      page: ({ rest }) => Effect.flatMap(health, (health) => answerOne(health, probe, rest, reasons))
    }
  ])
}

const answerAll = (
  health: Pick<HealthService, "probe">,
  probe: Probe,
  name: string,
  reasons: boolean,
  asked: Asked
): Effect.Effect<Page> => {
  const query = queryOf(asked)
  return Effect.map(health.probe(probe, { exclude: query.getAll("exclude") }), ({ checks, passed, unknown }) => {
    const page = announced(checks)
    if (passed && !query.has("verbose")) return page(200, "ok")
    const lines = checks.map((check) => `${line(check, reasons)}\n`)
    if (unknown.length > 0) {
      const names = unknown.map((name) => JSON.stringify(name)).join(",")
      lines.push(`warn: some health checks cannot be excluded: no matches for ${names}\n`)
    }
    return page(passed ? 200 : 500, `${lines.join("")}${name} check ${passed ? "passed" : "failed"}\n`)
  })
}

const answerOne = (
  health: Pick<HealthService, "probe">,
  probe: Probe,
  name: string,
  reasons: boolean
): Effect.Effect<Page> =>
  Effect.map(health.probe(probe, { only: [name] }), ({ checks: [check] }) => {
    if (check === undefined) return textPage(404, "404 page not found\n")
    const page = announced([check])
    return check.outcome === "Failed"
      ? page(500, `internal server error: ${shown(check.reason, reasons)}\n`)
      : page(200, "ok")
  })

/**
 * Envoy is told, and need not conclude it: a host whose answer has this header is unhealthy from now on, whatever
 * `unhealthy_threshold` says, and is left out of the count by which Envoy sends to unhealthy hosts, too (its "panic").
 * Envoy's health check filter, which knows when Envoy itself drains, sends the same.
 */
const drainingHeaders = { "x-envoy-immediate-health-check-fail": "true" }

/** A page that says to a proxy, too, that the server drains. */
const announced = (checks: ReadonlyArray<CheckResult>) => (status: number, body: string): Page => {
  const page = textPage(status, body)
  return isDraining(checks) ? { ...page, headers: { ...page.headers, ...drainingHeaders } } : page
}

const line = ({ name, outcome, reason }: CheckResult, reasons: boolean): string =>
  outcome === "Passed"
    ? `[+]${name} ok`
    : outcome === "Excluded"
    ? `[+]${name} excluded: ok`
    : `[-]${name} failed: ${shown(reason, reasons)}`

const shown = (reason: string | undefined, reasons: boolean): string =>
  reasons && reason !== undefined ? reason : "reason withheld"
