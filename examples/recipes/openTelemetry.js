// OpenTelemetry. Spans are exported in batches: the last ones leave in `finally`, when the last request has ended.
//
//   node openTelemetry.js
//   curl localhost:3000/slow       and Ctrl-C the server
import { registerInstrumentations } from "@opentelemetry/instrumentation"
import { HttpInstrumentation } from "@opentelemetry/instrumentation-http"
import { BatchSpanProcessor, ConsoleSpanExporter, NodeTracerProvider } from "@opentelemetry/sdk-trace-node"
import express from "express"
import { setTimeout } from "node:timers/promises"
import { quiesce } from "quiesce/promise"

const provider = new NodeTracerProvider({ spanProcessors: [new BatchSpanProcessor(new ConsoleSpanExporter())] })
provider.register()
registerInstrumentations({ instrumentations: [new HttpInstrumentation()] })

// what is instrumented is loaded by `require`, or after the hooks of `--import @opentelemetry/instrumentation/hook.mjs`
const { createServer } = process.getBuiltinModule("node:http")

const app = express()
app.get("/", (_, response) => response.send("hello\n"))
app.get("/slow", async (_, response) => {
  await setTimeout(1000)
  response.send("hello, one second later\n")
})
app.post("/orders", express.text({ type: () => true }), (_, response) => response.status(202).send("accepted\n"))

const nodeServer = createServer(app)

// `shutdown` exports what is left. The SDK's own listeners for signals are not wanted: they would export too early
quiesce(nodeServer, { signals: true, finally: () => provider.shutdown() })
nodeServer.listen(Number(process.env.PORT ?? 3000), "127.0.0.1")
