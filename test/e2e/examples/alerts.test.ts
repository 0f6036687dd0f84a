/** The dashboard and the alerts of examples/deploy: they ask for what a server says, in words that Prometheus takes. */
import * as Fs from "node:fs"
import * as Http from "node:http"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { describe, expect, it } from "vitest"
import { parse, stringify } from "yaml"
import { quiesce } from "../../../src/promise.js"
import { describeWith } from "../../support/describeWith.js"
import { listenOnLoopback, portOf } from "../../support/nodeServer.js"
import { promtool, start } from "../../support/program.js"
import { waitFor } from "../../support/wait.js"

const limit = 15_000

const folder = fileURLToPath(new URL("../../../examples/deploy/", import.meta.url))
const read = (name: string): string => Fs.readFileSync(join(folder, name), "utf8")

interface Dashboard {
  readonly panels: ReadonlyArray<{ readonly title: string; readonly targets: ReadonlyArray<{ readonly expr: string }> }>
  readonly templating: { readonly list: ReadonlyArray<{ readonly definition?: string }> }
}

interface Rules {
  readonly groups: ReadonlyArray<{ readonly rules: ReadonlyArray<{ readonly alert: string; readonly expr: string }> }>
}

const dashboard = JSON.parse(read("grafana.json")) as Dashboard
const panels = dashboard.panels.flatMap(({ targets }) => targets.map(({ expr }) => expr))
const variables = dashboard.templating.list.flatMap(({ definition = [] }) => definition)
const rules = (parse(read("alerts.yaml")) as Rules).groups.flatMap(({ rules }) => rules)

const namesIn = (texts: ReadonlyArray<string>) =>
  [...new Set(texts.flatMap((text) => [...text.matchAll(/\bquiesce_\w+/g)].map(([name]) => name)))].toSorted()

/** The names that a page for Prometheus has, and with each the names of its labels. */
const samplesOf = (page: string): ReadonlyMap<string, ReadonlySet<string>> => {
  const samples = new Map<string, Set<string>>()
  for (const [, name = "", labels = ""] of page.matchAll(/^(quiesce_\w+)(?:\{(.*)\})? /gm)) {
    const known = samples.get(name) ?? new Set()
    for (const [, label = ""] of labels.matchAll(/(\w+)="/g)) known.add(label)
    samples.set(name, known)
  }
  return samples
}

/** What a server says while it serves, while a shutdown waits, and at its end. */
const pageOfDrain = async (): Promise<string> => {
  const pages: Array<string> = []
  const node = await listenOnLoopback(Http.createServer(() => {}))
  const server = quiesce(node, {
    timeout: 300,
    killTimeout: 0,
    logger: false,
    finally: async () => void pages.push(await server.metrics())
  })
  server.onShutdown("flush", () => Promise.resolve())
  const request = Http.get({ agent: false, host: "127.0.0.1", port: portOf(node) }).on("error", () => {})
  await waitFor("the request", () => server.connections().some(({ state }) => state === "Active"), limit)
  pages.push(await server.metrics())
  const closed = server.shutdown()
  await waitFor("the drain", () => server.phase() === "Draining", limit)
  pages.push(await server.metrics())
  await closed
  request.destroy()
  return pages.join("")
}

describe("grafana.json and alerts.yaml", () => {
  it("ask for nothing that a server does not say, and the dashboard for all that it does", async () => {
    const samples = samplesOf(await pageOfDrain())
    // of the process, and only where a line was lost
    const said = new Set([...samples.keys(), "quiesce_log_errors_total"])
    const asked = namesIn([...panels, ...variables, ...rules.map(({ expr }) => expr)])
    expect(asked.length).toBeGreaterThan(15)
    expect(asked.filter((name) => !said.has(name))).toEqual([])
    const ofHistograms = /_(sum|count|bucket)$/
    expect([...said].filter((name) => !ofHistograms.test(name) && !namesIn(panels).includes(name))).toEqual([])
    for (const [expr, name, label] of panels.flatMap(labelsIn)) {
      expect([expr, name, samples.get(name)?.has(label) ?? name === "quiesce_log_errors_total"]).toEqual([
        expr,
        name,
        true
      ])
    }
  })
})

/** The labels that an expression adds up by, with the metric that has to have them. */
const labelsIn = (expr: string): ReadonlyArray<readonly [string, string, string]> => {
  const [name = ""] = namesIn([expr])
  const labels = /\bby \(([^)]*)\)/.exec(expr)?.[1]?.split(", ") ?? []
  // a Prometheus adds these itself
  return labels.filter((label) => !["instance", "job"].includes(label)).map((label) => [expr, name, label])
}

const run = async (...args: ReadonlyArray<string>) => {
  const running = start(promtool, args)
  try {
    const { code, stderr, stdout } = await running.ran(limit)
    return { code, said: stdout.toString() + stderr }
  } finally {
    await running.kill()
  }
}

const withFile = async (text: string, use: (file: string) => Promise<void>) => {
  const folder = Fs.mkdtempSync(join(tmpdir(), "alerts-"))
  try {
    const file = join(folder, "rules.yaml")
    Fs.writeFileSync(file, text)
    await use(file)
  } finally {
    Fs.rmSync(folder, { recursive: true })
  }
}

describeWith(promtool, () => {
  it("takes the alerts, and would not take others", async () => {
    expect(await run("check", "rules", join(folder, "alerts.yaml"))).toMatchObject({ code: 0 })
    await withFile(read("alerts.yaml").replace("max by (job", "max bye (job"), async (file) => {
      expect((await run("check", "rules", file)).code).not.toBe(0)
    })
  })

  it("each alert has a test, and the tests hold", async () => {
    const tested = new Set([...read("alerts.test.yaml").matchAll(/alertname: (\w+)/g)].map(([, name = ""]) => name))
    expect([...tested].toSorted()).toEqual(rules.map(({ alert }) => alert).toSorted())
    expect(await run("test", "rules", join(folder, "alerts.test.yaml"))).toMatchObject({ code: 0 })
  })

  it("takes each expression of the dashboard", async () => {
    const written = panels.map((expr, nth) => ({
      record: `panel:${nth}`,
      expr: expr.replaceAll("$__rate_interval", "1m").replaceAll(/\$(job|instance)/g, ".*")
    }))
    await withFile(stringify({ groups: [{ name: "panels", rules: written }] }), async (file) => {
      expect(await run("check", "rules", file)).toMatchObject({ code: 0 })
    })
  })
})
