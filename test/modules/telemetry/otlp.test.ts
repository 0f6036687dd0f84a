import * as Http from "node:http"
import type { AddressInfo } from "node:net"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { withExample } from "../../support/example.js"
import { withClient } from "../../support/rawClient.js"

// What an OpenTelemetry collector gets of a shutdown, from @effect/opentelemetry's own exporter in a process that ends:
// all of it is there when the process is gone.

interface Attribute {
  readonly key: string
  readonly value: Readonly<Record<string, unknown>>
}

interface Span {
  readonly name: string
  readonly traceId: string
  readonly spanId: string
  readonly parentSpanId?: string
  readonly attributes: ReadonlyArray<Attribute>
  readonly status: { readonly code: number; readonly message?: string }
}

interface Metric {
  readonly name: string
  readonly unit: string
  readonly sum?: { readonly dataPoints: ReadonlyArray<Point>; readonly isMonotonic: boolean }
  readonly gauge?: { readonly dataPoints: ReadonlyArray<Point> }
  readonly histogram?: { readonly dataPoints: ReadonlyArray<Point> }
}

interface Point {
  readonly attributes: ReadonlyArray<Attribute>
  readonly asDouble?: number
  readonly count?: number
  readonly sum?: number
}

interface LogRecord {
  readonly body: { readonly stringValue: string }
  readonly severityText: string
  readonly attributes: ReadonlyArray<Attribute>
  readonly traceId?: string
}

interface Received {
  readonly spans: Array<Span>
  /** As the last export has them. */
  metrics: ReadonlyArray<Metric>
  readonly logs: Array<LogRecord>
}

/** `/v1/traces`, `/v1/metrics` and `/v1/logs` of a collector, for any number of processes. */
const collectors = new Map<string, Received>()

const collector = Http.createServer((request, response) => {
  const [, name = "", , signal] = (request.url ?? "").split("/")
  const chunks: Array<Buffer> = []
  request.on("data", (chunk: Buffer) => chunks.push(chunk)).on("end", () => {
    const body = JSON.parse(Buffer.concat(chunks).toString())
    const received = collectors.get(name)!
    if (signal === "traces") received.spans.push(...body.resourceSpans[0].scopeSpans[0].spans)
    if (signal === "metrics") received.metrics = body.resourceMetrics[0].scopeMetrics[0].metrics
    if (signal === "logs") received.logs.push(...body.resourceLogs[0].scopeLogs[0].logRecords)
    response.writeHead(200, { "content-type": "application/json" }).end("{}")
  })
})

beforeAll(() => new Promise<void>((resolve) => void collector.listen(0, "127.0.0.1", resolve)))
afterAll(() => void collector.close())

/** Sends a request to the example, then SIGTERM, and returns what the collector has when the process has ended. */
const shutdownOf = async (name: string, path: string) => {
  const received: Received = { spans: [], metrics: [], logs: [] }
  collectors.set(name, received)
  const { port } = collector.address() as AddressInfo
  let code: number | null = null
  await withExample("telemetry", async ({ child, target }) => {
    await withClient(target, async (client) => {
      await client.write("GET / HTTP/1.1\r\nHost: test\r\n\r\n")
      await client.untilResponses(1, 10_000)
      await client.write(`GET ${path} HTTP/1.1\r\nHost: test\r\n\r\n`)
      // a second answer on another connection: the first request has long arrived
      await withClient(target, async (other) => {
        await other.write("GET / HTTP/1.1\r\nHost: test\r\n\r\n")
        await other.untilResponses(1, 10_000)
      })
      child.signal("SIGTERM")
      code = (await child.exit(20_000)).code
    })
  }, { OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${port}/${name}` })
  return { code, ...received, own: received.spans.filter((span) => span.name.startsWith("quiesce.")) }
}

const valueOf = ({ attributes }: { readonly attributes: ReadonlyArray<Attribute> }, key: string): unknown =>
  Object.values(attributes.find((attribute) => attribute.key === key)?.value ?? {})[0]

const pointsOf = (metrics: ReadonlyArray<Metric>, name: string): ReadonlyArray<Point> => {
  const metric = metrics.find((metric) => metric.name === name)
  return (metric?.sum ?? metric?.gauge ?? metric?.histogram)?.dataPoints ?? []
}

const named = <A extends { readonly name: string }>(all: ReadonlyArray<A>, name: string): A => {
  const found = all.find((each) => each.name === name)
  if (found === undefined) throw new Error(`no ${name} in ${all.map(({ name }) => name).join(", ")}`)
  return found
}

describe.concurrent("a collector", { timeout: 90_000 }, () => {
  it("has the spans, the metrics and the log of a clean shutdown when the process has ended", async () => {
    const { code, logs, metrics, own, spans } = await shutdownOf("clean", "/slow")
    expect(code).toBe(0)

    const shutdown = named(own, "quiesce.shutdown")
    const draining = named(own, "quiesce.draining")
    const hook = named(own, "quiesce.hook")
    expect(new Set(own.map(({ traceId }) => traceId))).toEqual(new Set([shutdown.traceId]))
    expect(shutdown.parentSpanId).toBeUndefined()
    expect(draining.parentSpanId).toBe(shutdown.spanId)
    for (const name of ["quiesce.close_listeners", "quiesce.wait", "quiesce.hook"]) {
      expect(named(own, name).parentSpanId).toBe(draining.spanId)
    }
    expect(named(spans, "write cache").parentSpanId).toBe(hook.spanId)
    expect(valueOf(shutdown, "quiesce.outcome")).toBe("Drained")
    expect(shutdown.status.code).toBe(1)

    expect(named(metrics, "quiesce_connections").unit).toBe("{connection}")
    expect(named(metrics, "quiesce_drain_duration_seconds").unit).toBe("s")
    expect(pointsOf(metrics, "quiesce_requests_served_total")).toMatchObject([{ asDouble: 3 }])
    expect(pointsOf(metrics, "quiesce_requests_in_flight")).toMatchObject([{ asDouble: 0 }])
    const [drain] = pointsOf(metrics, "quiesce_drain_duration_seconds")
    expect(drain).toMatchObject({ count: 1 })
    expect(drain?.sum).toBeGreaterThan(1)
    const [flush] = pointsOf(metrics, "quiesce_hook_duration_seconds")
    expect([valueOf(flush!, "hook"), valueOf(flush!, "outcome"), valueOf(flush!, "server")]).toEqual([
      "flush cache",
      "Succeeded",
      "example"
    ])
    const closed = pointsOf(metrics, "quiesce_phase").find((point) => valueOf(point, "phase") === "Closed")
    expect(closed?.asDouble).toBe(1)

    const said = (pattern: RegExp) => logs.find(({ body }) => pattern.test(body.stringValue))
    const waiting = said(/^Draining: waiting for .*GET \/slow from 127/)
    expect(JSON.parse(String(valueOf(waiting!, "quiesce")))).toMatchObject({
      phase: "Draining",
      requests: [{ path: "/slow" }]
    })
    expect(said(/^Shut down in .* \(Drained\)/)?.traceId).toBe(shutdown.traceId)
    expect(JSON.parse(String(valueOf(said(/^Shut down/)!, "quiesce")))).toMatchObject({ outcome: "Drained" })
  })

  it("hears of one whose deadline was exceeded, too, and by which request", async () => {
    const { code, logs, metrics, own } = await shutdownOf("exceeded", "/hangs")
    expect(code).toBe(1)
    const shutdown = named(own, "quiesce.shutdown")
    expect(shutdown.status.code).toBe(2)
    expect(shutdown.status.message).toMatch(/GET \/hangs \(.*, its client received 503\)/)
    expect(named(own, "quiesce.kill").parentSpanId).toBe(shutdown.spanId)
    const cut = pointsOf(metrics, "quiesce_requests_cut_total").find((point) =>
      valueOf(point, "client_received") === "503"
    )
    expect(cut?.asDouble).toBe(1)
    const last = logs.find(({ body }) => body.stringValue.startsWith("Shut down in"))
    expect(last?.severityText.toUpperCase()).toBe("ERROR")
    expect(last?.body.stringValue).toMatch(/cut GET \/hangs from 127.*\(its client received 503\)/)
  })
})
