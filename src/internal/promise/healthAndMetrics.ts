/**
 * What can be asked about a server of a program without Effect: its health, and its metrics.
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { type Administered, oneServer } from "../admin/administered.js"
import { adminRoutes, metricsText } from "../admin/pages.js"
import { noLabels, withLabels } from "../effect/metrics.js"
import { agentLine } from "../health/agentCheck.js"
import { healthPages } from "../health/healthPages.js"
import * as Line from "../log/line.js"
import type { InvalidPolicy } from "../model/errors.js"
import type { HealthService } from "../model/health.js"
import type { PlainHandler, Server as PlainServer } from "../model/promise.js"
import type { AdminOptions, AgentCheckOptions } from "../model/promiseOptions.js"
import type { PlainService } from "../model/server.js"
import * as Given from "../policy/validateFunction.js"
import { Sampler } from "../telemetry/sampler.js"
import type { WatchedServer } from "../telemetry/telemetry.js"
import * as Admin from "./adminListener.js"
import * as AgentCheck from "./agentCheckListener.js"
import { answerAdmin } from "./nodeAdmin.js"
import { answerWith, type Run } from "./nodePages.js"

export interface HealthAndMetrics extends Pick<PlainServer, "check" | "probe" | "health" | "metrics"> {
  /** Where the admin listener listens, if there is one. */
  readonly admin: PlainServer["admin"]
  /** Where HAProxy's agent check is answered, if it is. */
  readonly agentCheck: PlainServer["agentCheck"]
  /** Nothing is to be asked any more. */
  readonly stop: () => void
}

export const make = ({ admin, agentCheck, health, listen, view, register, run, server }: {
  readonly admin: AdminOptions | undefined
  readonly agentCheck: AgentCheckOptions | undefined
  /** Default: each listens by itself. */
  readonly listen: Admin.Aside | undefined
  readonly health: HealthService
  readonly view: WatchedServer
  /** Throws what it fails with. */
  readonly register: (check: Effect.Effect<void, InvalidPolicy, Scope.Scope>) => void
  readonly run: Run
  readonly server: PlainService
}): HealthAndMetrics => {
  const sample = sampling(view)
  const given = Effect.succeed(health)
  const administered = oneServer(server)
  const aside = listen ?? Admin.alone((error) => {
    const message =
      "The system could not accept a connection to the admin listener or the agent check; the server goes on"
    void run(Line.warning(message, {}, error))
  })
  const ended = Effect.unsafeMakeLatch(false)
  const listener = admin &&
    Admin.listen(admin, administer(admin, { administered, ended: ended.await, health, run, sample }), aside)
  const agent = agentCheck && AgentCheck.listen(agentCheck, () => run(agentLine(administered, health)), aside)
  return {
    check: (name, check, options) => {
      Given.aFunction(`health check "${name}"`, check, `a function: check("${name}", () => …)`)
      register(
        health.check(
          name,
          Effect.tryPromise({ try: async (signal) => check(signal), catch: (error) => error }),
          options
        )
      )
    },
    probe: (probe) => run(health.probe(probe)),
    health: answerWith(healthPages(given, { reasons: false }), run),
    metrics: () => run(Effect.zipRight(sample, metricsText(administered, "text"))),
    admin: listener?.address,
    agentCheck: agent?.address,
    stop: () => {
      ended.unsafeOpen()
      listener?.close()
      agent?.close()
    }
  }
}

/** What an admin listener answers. */
export const administer = (
  { actions = false, reasons = true, showQuery = false }: Pick<AdminOptions, "actions" | "reasons" | "showQuery">,
  { administered, ended, health, run, sample }: {
    readonly administered: Administered
    /** Suspends until it answers no more. */
    readonly ended: Effect.Effect<void>
    readonly health: Pick<HealthService, "probe">
    readonly run: Run
    readonly sample: Effect.Effect<void>
  }
): PlainHandler =>
  answerAdmin(
    adminRoutes(Effect.succeed(administered), Effect.succeed(health), { actions, ended, reasons, showQuery }),
    sample,
    run
  )

/**
 * Metrics are read off the server when somebody asks for them, and off the report at its end. Whoever asks first in
 * `finally` comes after the report.
 */
export const sampling = (view: WatchedServer): Effect.Effect<void> => {
  let sampler: Sampler | undefined
  return Effect.sync(() => {
    if (sampler === undefined) {
      const made = new Sampler(view, withLabels(noLabels, { server: view.telemetry.name }))
      const { lastReport, reporting } = view.telemetry
      if (lastReport === undefined) reporting.add((report) => made.report(report))
      else made.report(lastReport)
      sampler = made
    }
    sampler.sample()
  })
}
