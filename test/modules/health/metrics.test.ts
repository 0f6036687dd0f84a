import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Metric from "effect/Metric"
import * as FastCheck from "fast-check"
import { registrySnapshot } from "../../../src/internal/effect/metrics.js"
import * as Prometheus from "../../../src/internal/telemetry/prometheus.js"
import * as HttpRouter from "../../support/effect/httpRouter.js"
import { histogram, type NumberMetric, summary, tagged } from "../../support/effect/metrics.js"
import type { Target } from "../../support/rawClient.js"
import { client, responses, send } from "../../support/running.js"
import { launchWithHealth } from "./appWithHealth.js"
import { type Family, parse } from "./exposition.js"

const hello = HttpRouter.empty.pipe(HttpRouter.get("/", HttpServerResponse.text("hello")))

const scrape = (admin: Target, accept = "*/*") =>
  Effect.gen(function*() {
    const one = yield* client(admin)
    yield* send(one, `GET /metrics HTTP/1.1\r\nHost: localhost\r\nAccept: ${accept}\r\n\r\n`)
    const [response] = yield* responses(one, 1)
    return { type: response!.headers["content-type"], body: response!.body.toString() }
  })

/** Name, labels and value of each sample. */
const samples = (family: Family | undefined) =>
  family?.samples.map(({ labels, name, value }) => [name, labels, value] as const)

describe("/metrics", () => {
  it.scoped("each kind of metric, as Prometheus has it", () =>
    Effect.gen(function*() {
      const { admin } = yield* launchWithHealth(hello)
      const orders = Metric.counter("test.orders", { description: "Orders\ntaken \\o/", incremental: true })
      yield* Metric.update(tagged(orders, "shop", "a \"b\" \\ \n"), 3)
      yield* Metric.update(tagged(orders, "shop", "c"), 1)
      yield* Metric.update(Metric.counter("test_big_total", { incremental: true, bigint: true }), 2n ** 60n)
      yield* Metric.update(Metric.counter("test_stock"), -4)
      yield* Metric.update(Metric.gauge("test temperature (°C)"), -1.5)
      yield* Metric.update(Metric.frequency("test_words"), "hello")
      yield* Metric.update(Metric.frequency("test_words"), "hello")
      yield* Metric.update(Metric.frequency("test_words"), "")
      const latency = tagged(histogram("test_latency", [0.1, 1, 10], "Seconds"), "le", "mine")
      for (const value of [0.05, 0.5, 0.5, 5, 50]) yield* Metric.update(latency, value)
      const size = summary("test_size", { quantiles: [0.5, 1] })
      for (const value of [1, 2, 3, 4]) yield* Metric.update(size, value)

      const { body, type } = yield* scrape(admin)
      expect(type).toBe("text/plain; version=0.0.4; charset=utf-8")
      const families = parse(body, "text")
      expect(families.get("test_orders_total")).toMatchObject({ type: "counter", help: "Orders\ntaken \\o/" })
      expect(samples(families.get("test_orders_total"))).toEqual(expect.arrayContaining([
        ["test_orders_total", { shop: "a \"b\" \\ \n" }, 3],
        ["test_orders_total", { shop: "c" }, 1]
      ]))
      expect(samples(families.get("test_big_total"))).toEqual([["test_big_total", {}, 2 ** 60]])
      expect(body).toContain("test_big_total 1152921504606846976\n")
      expect(families.get("test_stock")).toMatchObject({ type: "gauge", help: undefined })
      expect(samples(families.get("test_stock"))).toEqual([["test_stock", {}, -4]])
      expect(samples(families.get("test_temperature___C_"))).toEqual([["test_temperature___C_", {}, -1.5]])
      expect(samples(families.get("test_words_total"))).toEqual([
        ["test_words_total", { key: "hello" }, 2],
        ["test_words_total", { key: "" }, 1]
      ])
      expect(families.get("test_latency")).toMatchObject({ type: "histogram", help: "Seconds" })
      expect(samples(families.get("test_latency"))).toEqual([
        ["test_latency_bucket", { exported_le: "mine", le: "0.1" }, 1],
        ["test_latency_bucket", { exported_le: "mine", le: "1" }, 3],
        ["test_latency_bucket", { exported_le: "mine", le: "10" }, 4],
        ["test_latency_bucket", { exported_le: "mine", le: "+Inf" }, 5],
        ["test_latency_sum", { exported_le: "mine" }, 56.05],
        ["test_latency_count", { exported_le: "mine" }, 5]
      ])
      expect(families.get("test_size")).toMatchObject({ type: "summary" })
      expect(samples(families.get("test_size"))).toEqual([
        ["test_size", { quantile: "0.5" }, 2],
        ["test_size", { quantile: "1" }, 4],
        ["test_size_sum", {}, 10],
        ["test_size_count", {}, 4]
      ])

      const open = yield* scrape(admin, "application/openmetrics-text;version=1.0.0;q=0.8,text/plain;q=0.5")
      expect(open.type).toBe("application/openmetrics-text; version=1.0.0; charset=utf-8")
      const openFamilies = parse(open.body, "openmetrics")
      expect(openFamilies.get("test_orders")).toMatchObject({ type: "counter" })
      expect(samples(openFamilies.get("test_latency"))?.map(([, { le }]) => le).slice(0, 4))
        .toEqual(["0.1", "1.0", "10.0", "+Inf"])
    }))

  it.scoped("a summary that has nothing to say yet is NaN", () =>
    Effect.gen(function*() {
      const { admin } = yield* launchWithHealth(hello)
      const empty = summary("test_empty", { quantiles: [0.9] })
      yield* Metric.value(empty)
      const families = parse((yield* scrape(admin)).body, "text")
      expect(samples(families.get("test_empty"))?.[0]).toEqual(["test_empty", { quantile: "0.9" }, NaN])
    }))

  it.scoped("what has the same name is one family, and what cannot be is renamed", () =>
    Effect.gen(function*() {
      const { admin } = yield* launchWithHealth(hello)
      yield* Metric.update(Metric.counter("test_same", { incremental: true }), 1)
      yield* Metric.update(Metric.counter("test.same", { incremental: true, description: "described" }), 2)
      yield* Metric.update(Metric.gauge("test_same"), 7)
      // Effect compares boundaries by identity
      const twice = () => histogram("test_twice", [1, 2])
      yield* Metric.update(twice(), 1.5)
      yield* Metric.update(twice(), 3)
      yield* Metric.update(Metric.gauge("test_twice_count"), 9)
      yield* Metric.update(tagged(tagged(Metric.gauge("test_tags"), "a.b", "1"), "a-b", "2"), 1)
      for (const format of ["text", "openmetrics"] as const) {
        const accept = format === "text" ? "text/plain" : "application/openmetrics-text"
        const families = parse((yield* scrape(admin, accept)).body, format)
        const same = families.get(format === "text" ? "test_same_total" : "test_same")
        expect(same).toMatchObject({ type: "counter", help: "described" })
        expect(samples(same)).toEqual([["test_same_total", {}, 3]])
        expect(samples(families.get("test_same_gauge"))).toEqual([["test_same_gauge", {}, 7]])
        expect(samples(families.get("test_twice"))?.map(([, , value]) => value)).toEqual([0, 1, 2, 4.5, 2])
        expect(samples(families.get("test_twice_count_gauge"))).toEqual([["test_twice_count_gauge", {}, 9]])
        expect(Object.keys(families.get("test_tags")!.samples[0]!.labels).sort()).toEqual(["a_b", "exported_a_b"])
      }
    }))

  it("any registry is a page that can be read", () => {
    const text = FastCheck.oneof(
      FastCheck.string(),
      FastCheck.constantFrom("a", "a_total", "a_count", "le", "__x", "1")
    )
    const metric = FastCheck.record({
      name: text,
      help: FastCheck.option(text, { nil: undefined }),
      tags: FastCheck.dictionary(text, text, { maxKeys: 3 }),
      kind: FastCheck.constantFrom("counter", "stock", "gauge", "frequency", "histogram", "summary"),
      value: FastCheck.double({ noNaN: true })
    })
    FastCheck.assert(
      FastCheck.property(FastCheck.array(metric, { maxLength: 8 }), (metrics) => {
        const pairs = metrics.flatMap(({ help, kind, name, tags, value }) => {
          const options = help === undefined ? {} : { description: help }
          const positive = Math.abs(value)
          const one = kind === "counter"
            ? Metric.counter(name, { ...options, incremental: true }).pipe(Metric.mapInput((n: number) => Math.abs(n)))
            : kind === "stock"
            ? Metric.counter(name, options)
            : kind === "gauge"
            ? Metric.gauge(name, options)
            : kind === "frequency"
            ? Metric.frequency(name, options).pipe(Metric.mapInput(String))
            : kind === "histogram"
            ? histogram(name, [-1, 0, 1], help)
            : summary(name, { quantiles: [0.5], ...options })
          const labelled = Object.entries(tags).reduce(
            (metric, [key, value]) => tagged(metric, key, value),
            one as NumberMetric
          )
          Effect.runSync(Metric.update(labelled, kind === "counter" ? positive : value))
          return Effect.runSync(registrySnapshot).filter((each) => each.name === name)
        })
        const known = Prometheus.ofRegistry(pairs)
        parse(Prometheus.render(known, "text"), "text")
        parse(Prometheus.render(known, "openmetrics"), "openmetrics")
      }),
      { numRuns: 100 }
    )
  })
})
