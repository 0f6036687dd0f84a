/** A Prometheus that scrapes a server through its drain, with the alerts of examples/deploy. */
import * as Fs from "node:fs"
import * as Http from "node:http"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { expect, it } from "vitest"
import { freePort } from "../../../src/internal/check/process/listening.js"
import { quiesce } from "../../../src/promise.js"
import { describeWith } from "../../support/describeWith.js"
import { listenOnLoopback, portOf } from "../../support/nodeServer.js"
import { prometheus, start } from "../../support/program.js"
import { deferred, pace, waitFor } from "../../support/wait.js"

const limit = 60_000

const alerts = Fs.readFileSync(new URL("../../../examples/deploy/alerts.yaml", import.meta.url), "utf8")

const config = (target: number) => `
global: { scrape_interval: 1s, evaluation_interval: 1s }
rule_files: [alerts.yaml]
scrape_configs:
  - job_name: app
    static_configs: [{ targets: ["127.0.0.1:${target}"] }]
`

interface Alert {
  readonly state: string
  readonly labels: Readonly<Record<string, string>>
  readonly annotations: Readonly<Record<string, string>>
}

const withPrometheus = async (target: number, use: (ask: (path: string) => Promise<unknown>) => Promise<void>) => {
  const folder = Fs.mkdtempSync(join(tmpdir(), "prometheus-"))
  Fs.writeFileSync(join(folder, "prometheus.yml"), config(target))
  // a test has no 15 s to wait
  Fs.writeFileSync(join(folder, "alerts.yaml"), alerts.replace("for: 15s", "for: 3s"))
  const port = await freePort()
  const running = start(prometheus, [
    `--config.file=${join(folder, "prometheus.yml")}`,
    `--storage.tsdb.path=${join(folder, "data")}`,
    `--web.listen-address=127.0.0.1:${port}`
  ])
  const ask = async (path: string): Promise<unknown> => {
    const response = await fetch(`http://127.0.0.1:${port}${path}`)
    return (await response.json() as { readonly data?: unknown }).data
  }
  try {
    await waitFor(() => `Prometheus to be ready: ${running.output()}`, isReady(port), limit)
    await use(ask)
  } finally {
    await running.kill()
    Fs.rmSync(folder, { recursive: true, force: true })
  }
}

const isReady = async (port: number): Promise<void> => {
  const ready = await fetch(`http://127.0.0.1:${port}/-/ready`).then(({ ok }) => ok, () => false)
  if (ready) return
  await pace(100)
  return isReady(port)
}

/** Asks until the answer is right. */
const until = <A>(what: string, ask: () => Promise<A>, test: (answer: A) => boolean): Promise<A> => {
  let seen: A | undefined
  const look = async (): Promise<A> => {
    seen = await ask()
    if (test(seen)) return seen
    await pace(200)
    return look()
  }
  return waitFor(() => `${what}, but: ${JSON.stringify(seen)}`, look(), limit)
}

describeWith(prometheus, () => {
  it(
    "sees the phases of a drain; a stuck one fires an alert, which says where, and what it cuts another one",
    async () => {
      const finished = deferred()
      const node = await listenOnLoopback(Http.createServer(() => {}))
      const server = quiesce(node, {
        admin: 0,
        timeout: "15 seconds",
        killTimeout: 0,
        logger: false,
        finally: () => finished.promise
      })
      const { port } = (await server.admin)!
      const client = Http.get({ agent: false, host: "127.0.0.1", path: "/stuck", port: portOf(node) })
      client.on("error", () => {})
      client.on("response", (response) => response.resume())
      try {
        await withPrometheus(port, async (ask) => {
          const value = async (query: string) => {
            const { result } = await ask(`/api/v1/query?query=${encodeURIComponent(query)}`) as {
              readonly result: ReadonlyArray<{ readonly value: readonly [number, string] }>
            }
            return result.map(({ value: [, text] }) => text)
          }
          const firing = async () => {
            const { alerts } = await ask("/api/v1/alerts") as { readonly alerts: ReadonlyArray<Alert> }
            return alerts.filter(({ state }) => state === "firing")
          }
          await until("a server that serves", () => value(`quiesce_phase{phase="Serving"}`), ([one]) => one === "1")
          expect(await firing()).toEqual([])
          void server.shutdown()
          const [stuck] = await until("the alert", firing, ({ length }) => length > 0)
          expect(stuck).toMatchObject({
            labels: { alertname: "QuiesceDrainStuck", instance: `127.0.0.1:${port}`, job: "app", severity: "warning" },
            annotations: { summary: `127.0.0.1:${port} has been draining for 15 s` }
          })
          expect(await value(`quiesce_shutdown_waiting_request_age_seconds{path="/stuck"}`)).toHaveLength(1)
          const cut = await until(
            "the alert of what was cut",
            firing,
            (all) => all.some(({ labels }) => labels["alertname"] === "QuiesceRequestsCut")
          )
          expect(cut.map(({ annotations }) => annotations["summary"])).toContain(
            `127.0.0.1:${port} has cut 1 requests in its shutdown`
          )
          expect(await value(`sum(quiesce_shutdown_duration_seconds_count{outcome="DeadlineExceeded"})`)).toEqual(["1"])
          finished.resolve()
          await server.closed
          await until("a target that is gone", () => value("up"), ([one]) => one === "0")
          // it is told, although nobody says it any more
          expect((await firing()).map(({ labels }) => labels["alertname"])).toContain("QuiesceRequestsCut")
        })
      } finally {
        finished.resolve()
        client.destroy()
        await server.close()
      }
    },
    180_000
  )
})
