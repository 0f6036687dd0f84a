// A process that serves the app as users do: `Layer.launch` under the stock `runMain`.
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as Layer from "effect/Layer"
import { printEvent } from "../../support/printEvent.js"
import { app, type AppOptions, type Which } from "./app.js"

const which = process.argv[2] as Which
const options: AppOptions = {
  listen: { host: "127.0.0.1", port: Number(process.env["PORT"] ?? 0) },
  ...JSON.parse(process.argv[3] ?? "{}") as AppOptions
}
const server = which === "stock"
  ? await import("@effect/platform-node/NodeHttpServer")
  : await import("../../../src/NodeHttpServer.js")

process.on("SIGTERM", () => printEvent("signalled"))
NodeRuntime.runMain(Layer.launch(app(server, options)))
