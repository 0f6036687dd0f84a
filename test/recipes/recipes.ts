/** The servers of `examples/recipes`: what each offers, and the call that is to be answered although a signal comes. */
import { fileURLToPath } from "node:url"
import type { Options } from "../../src/check.js"

export const folder = fileURLToPath(new URL("../../examples/recipes/", import.meta.url))

export interface Call {
  readonly path: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
}

export interface Recipe {
  /** Its file, without `.js`. */
  readonly name: string
  readonly package: string
  readonly offers: Pick<Options, "path" | "post" | "slow" | "stream" | "ws">
  /** It takes a second, and its answer says hello. */
  readonly call: Call
  /** What it prints after its last answer. */
  readonly printsLast?: RegExp
  readonly needsRedis?: boolean
}

const slow = "/slow"
const post = "/orders"
const json = { "content-type": "application/json" }

export const recipes: ReadonlyArray<Recipe> = [
  {
    name: "nest",
    package: "@nestjs/core",
    offers: { slow, post, stream: "/ticks" },
    call: { path: slow },
    printsLast: /database closed/
  },
  {
    name: "apollo",
    package: "@apollo/server",
    offers: {},
    call: { path: "/graphql", headers: json, body: JSON.stringify({ query: "{ slow }" }) }
  },
  {
    name: "graphqlYoga",
    package: "graphql-yoga",
    offers: { path: "/graphql?query={hello}", slow: "/graphql?query={slow}" },
    call: { path: "/graphql", headers: json, body: JSON.stringify({ query: "{ slow }" }) }
  },
  {
    name: "trpc",
    package: "@trpc/server",
    offers: { path: "/hello", slow, stream: "/ticks" },
    call: { path: slow }
  },
  { name: "hapi", package: "@hapi/hapi", offers: { slow, post }, call: { path: slow } },
  {
    name: "fastifyPlugins",
    package: "fastify",
    offers: { slow, post, ws: "/live" },
    call: { path: slow },
    printsLast: /database closed/
  },
  {
    name: "mcp",
    package: "@modelcontextprotocol/sdk",
    offers: {},
    call: {
      path: "/mcp",
      headers: { ...json, accept: "application/json, text/event-stream" },
      body: JSON.stringify({ jsonrpc: "2.0", id: 1, method: "tools/call", params: { name: "slow", arguments: {} } })
    }
  },
  { name: "grpc", package: "@grpc/grpc-js", offers: { slow, post }, call: { path: slow } },
  { name: "socketIo", package: "socket.io", offers: { slow, post }, call: { path: slow } },
  {
    name: "openTelemetry",
    package: "@opentelemetry/sdk-trace-node",
    offers: { slow, post },
    call: { path: slow },
    // the span of the last answer
    printsLast: /traceId/
  },
  { name: "pino", package: "pino", offers: { slow, post }, call: { path: slow }, printsLast: /Shut down in/ },
  { name: "winston", package: "winston", offers: { slow, post }, call: { path: slow }, printsLast: /Shut down in/ },
  { name: "bullmq", package: "bullmq", offers: { slow, post }, call: { path: slow }, needsRedis: true }
]
