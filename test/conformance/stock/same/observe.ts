/**
 * Everything that can be seen of an app that is served: what its clients get, byte for byte, and what its fibers,
 * spans, logs and handlers do.
 */
import { type HttpMiddleware, HttpServer, HttpServerResponse } from "@effect/platform"
import { NodeContext, NodeHttpServer as Stock } from "@effect/platform-node"
import {
  Cause,
  Context,
  Effect,
  Exit,
  HashMap,
  Layer,
  List,
  Logger,
  LogLevel,
  Option,
  type Scope,
  Supervisor,
  Tracer
} from "effect"
import * as Http from "node:http"
import * as Net from "node:net"
import { NodeHttpServer } from "../../../../src/index.js"
import type { HttpApp } from "../../../support/effect/apps.js"
import { labelOf } from "../../../support/effect/logs.js"
import { waitFor, within } from "../../../support/wait.js"

export type Journal = (entry: unknown) => void

export type App = (journal: Journal) => HttpApp<unknown, Scope.Scope | NodeContext.NodeContext>

export type Tracing = "native" | "recorded" | "off"

export interface Scenario {
  readonly app: App
  readonly middleware?: ((journal: Journal) => HttpMiddleware.HttpMiddleware) | undefined
  readonly layer?: Layer.Layer<never>
  readonly tracing?: Tracing
}

/** What is random, or the time. */
const masked = (text: string): string =>
  text
    .replaceAll(/\r\nDate: [^\r]*/g, "\r\nDate: …")
    .replaceAll(/-{4}formdata-undici-\d+/g, "boundary")
    .replaceAll(/http\.span\.(\d+)=\d+ms/g, "http.span.$1")

export const causeText = (cause: Cause.Cause<unknown>): string =>
  Cause.match(cause, {
    onEmpty: "empty",
    onFail: (error) => `fail(${valueText(error)})`,
    onDie: (defect) => `die(${valueText(defect)})`,
    onInterrupt: (fiberId) => `interrupt(${fiberId._tag === "Runtime" && fiberId.id < 0 ? fiberId.id : "a fiber"})`,
    // an interruption is added as often as its region was left, which says nothing more
    onSequential: (left, right) =>
      left === "empty"
        ? right
        : left === right || left.endsWith(` then ${right}`)
        ? left
        : `${left} then ${right}`,
    onParallel: (left, right) => `${left} and ${right}`
  })

const valueText = (value: unknown): string =>
  HttpServerResponse.isServerResponse(value)
    ? `response ${value.status}`
    : value instanceof Error
    ? `${value.name}: ${value.message}`
    : String(value).replaceAll(/"(id|startTimeMillis)": \d+/g, "of a fiber")

export const exitText = (exit: Exit.Exit<unknown, unknown>): string =>
  Exit.match(exit, { onSuccess: (value) => `success(${valueText(value)})`, onFailure: causeText })

/** Writes down all spans that end. */
export const recording = (journal: Journal): Tracer.Tracer => {
  let spans = 0
  return Tracer.make({
    context: (f) => f(),
    span: (name, parent, _context, links, _startTime, kind) => {
      const attributes = new Map<string, unknown>()
      const events: Array<string> = []
      const spanId = `span ${++spans}`
      let status: Tracer.SpanStatus = { _tag: "Started", startTime: 0n }
      const parentText = Option.match(parent, { onNone: () => "none", onSome: (_) => `${_.traceId}/${_.spanId}` })
      return {
        _tag: "Span",
        name,
        spanId,
        traceId: Option.match(parent, { onNone: () => `trace of ${spanId}`, onSome: (_) => _.traceId }),
        parent,
        context: Context.empty(),
        get status() {
          return status
        },
        attributes,
        links,
        sampled: true,
        kind,
        attribute: (key, value) => void attributes.set(key, value),
        event: (name) => void events.push(name),
        addLinks: () => {},
        end: (endTime, exit) => {
          status = { _tag: "Ended", startTime: 0n, endTime, exit }
          journal(["span", name, kind, parentText, [...attributes], events, exitText(exit)])
        }
      }
    }
  })
}

export const logging = (journal: Journal) =>
  Logger.make(({ annotations, cause, logLevel, message, spans }) => {
    journal([
      "log",
      labelOf(logLevel),
      String(message),
      [...HashMap.toEntries(annotations)].map(([key, value]) => `${key}=${String(value)}`).toSorted((a, b) =>
        a < b ? -1 : 1
      ),
      List.toArray(spans).map(({ label }) => label),
      causeText(cause)
    ])
  })

class Fibers extends Supervisor.AbstractSupervisor<void> {
  override readonly value = Effect.void
  alive = 0
  readonly journal: Journal
  constructor(journal: Journal) {
    super()
    this.journal = journal
  }
  override onStart(): void {
    this.alive++
  }
  override onEnd(exit: Exit.Exit<unknown, unknown>): void {
    this.alive--
    this.journal(["fiber", exitText(exit)])
  }
}

export interface Served {
  readonly port: number
  readonly journal: Array<unknown>
  /** All fibers have ended. */
  readonly isQuiet: () => boolean
  readonly quiet: Effect.Effect<void>
}

const options = { host: "127.0.0.1", port: 0 }
const servers = {
  stock: Stock.layerServer(() => Http.createServer(), options),
  quiesce: NodeHttpServer.layerServer(() => Http.createServer(), {
    ...options,
    idleGrace: 0,
    newConnectionGrace: 0,
    timeout: 1000
  })
}
export type Which = keyof typeof servers

export const serve = (
  which: Which,
  { app, layer = Layer.empty, middleware, tracing = "native" }: Scenario
): Effect.Effect<Served, unknown, Scope.Scope> =>
  Effect.gen(function*() {
    const entries: Array<unknown> = []
    let open = true
    const journal: Journal = (entry) => {
      if (open) entries.push(entry)
    }
    const fibers = new Fibers(journal)
    const httpServer = yield* Effect.map(
      Layer.build(servers[which]),
      Context.get(HttpServer.HttpServer)
    ).pipe(Effect.provide(Logger.remove(Logger.defaultLogger)))
    const around = Layer.mergeAll(
      layer,
      Logger.replace(Logger.defaultLogger, logging(journal)),
      Logger.minimumLogLevel(LogLevel.All),
      tracing === "native" ? Layer.empty : tracing === "off"
        ? Layer.setTracerEnabled(false)
        : Layer.setTracer(recording(journal)),
      Supervisor.addSupervisor(fibers),
      NodeContext.layer
    )
    const served = app(journal)
    const layers = (middleware === undefined ? HttpServer.serve(served) : HttpServer.serve(served, middleware(journal)))
      .pipe(Layer.provide(around), Layer.provide(Layer.succeed(HttpServer.HttpServer, httpServer)))
    const scope = yield* Effect.scope
    // in a fiber of its own, for a supervisor stays with the one that has asked for it
    yield* Effect.promise(() => Effect.runPromise(Layer.buildWithScope(layers as Layer.Layer<never>, scope)))
    yield* Effect.addFinalizer(() =>
      Effect.sync(() => {
        open = false
      })
    )
    const { address: own } = httpServer
    return {
      port: "port" in own ? own.port : 0,
      journal: entries,
      isQuiet: () => fibers.alive === 0,
      quiet: Effect.promise(async () => {
        const ended = await within(waitFor("all fibers to end", () => fibers.alive === 0, 9000), 4000)
        if (ended === true) return
        journal(`fibers that do not end: ${fibers.alive}`)
        fibers.alive = 0
      })
    }
  })

/** How often the event loop has come round, with nothing to do and nothing received, when no more will come. */
const idleRounds = 15

/** All that comes back on one connection, until the server ends it, or leaves it be. */
const exchange = ({ isQuiet, port }: Served, bytes: string): Effect.Effect<string> =>
  Effect.async((resume) => {
    const chunks: Array<Buffer> = []
    const socket = Net.connect(port, "127.0.0.1", () => socket.write(bytes))
    let idle = 0
    // counted and not timed: what is on its way comes in between, however slow the machine is
    const rounds = setInterval(() => {
      if (isQuiet() && ++idle > idleRounds) socket.destroy(new Error("nothing more comes"))
    }, 20)
    socket.setTimeout(4000, () => socket.destroy(new Error("it takes too long")))
    socket.on("data", (chunk) => {
      idle = 0
      chunks.push(chunk)
    })
    socket.on("error", (error) => chunks.push(Buffer.from(`[${error.message}]`)))
    socket.on("close", () => {
      clearInterval(rounds)
      resume(Effect.succeed(masked(Buffer.concat(chunks).toString("latin1"))))
    })
  })

/** What comes of a request: what its client has got, and what has been seen on the other side. */
export const observe = (served: Served, request: string) =>
  Effect.gen(function*() {
    const before = served.journal.length
    const answer = yield* exchange(served, request)
    yield* served.quiet
    return { answer, journal: served.journal.slice(before) }
  })
