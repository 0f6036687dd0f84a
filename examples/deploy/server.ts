// The app that the files beside this one deploy. Each supervisor has its arithmetic: DEPLOYED_BY chooses it.
//
//   node --import tsx examples/deploy/server.ts
//   curl localhost:3000; curl localhost:9000/readyz?verbose
import { HttpLayerRouter, HttpServerResponse } from "@effect/platform"
import { NodeRuntime } from "@effect/platform-node"
import { Config, type Duration, Effect, Layer, Option } from "effect"
import { createServer } from "node:http"
import {
  Admin,
  AgentCheck,
  Handoff,
  Health,
  Metrics,
  NodeHttpServer,
  Shutdown,
  Signals,
  Supervisor,
  Systemd
} from "quiesce"

const presets = (lameDuck?: Duration.Duration) => ({
  docker: () => Shutdown.docker({ stopTimeout: "10 seconds", lameDuck }),
  kubernetes: () => Shutdown.kubernetes({ terminationGracePeriod: "30 seconds", lameDuck }),
  pm2: () => Shutdown.docker({ stopTimeout: "10 seconds", lameDuck }),
  systemd: () => Shutdown.systemd({ timeoutStop: "90 seconds", lameDuck })
})

const ServerLive = Layer.unwrapEffect(Effect.gen(function*() {
  const deployedBy = yield* Config.literal("docker", "kubernetes", "pm2", "systemd")("DEPLOYED_BY").pipe(
    Config.withDefault("docker")
  )
  // for a load balancer that asks /readyz by itself; it comes out of the supervisor's time
  const lameDuck = yield* Config.option(Config.duration("LAME_DUCK"))
  const defaults = presets(Option.getOrUndefined(lameDuck))[deployedBy]()
  // SHUTDOWN_TIMEOUT and the like come before the preset's, and are not part of its sum
  const policy = yield* Shutdown.config(defaults)
  const port = yield* Config.integer("PORT").pipe(Config.withDefault(3000))
  // app.socket, where systemd holds it
  const where = yield* Systemd.socket("http").pipe(
    Effect.catchTag(
      "NotActivated",
      (error) => error.reason === "Absent" ? Effect.succeed({ port }) : Effect.fail(error)
    )
  )
  return NodeHttpServer.layer(() => createServer(), { ...where, ...policy })
}))

const AdminLive = Admin.layerConfig(Config.all({
  port: Config.integer("ADMIN_PORT").pipe(Config.withDefault(9000)),
  host: Config.string("ADMIN_HOST").pipe(Config.withDefault("127.0.0.1"))
}))

// haproxy-agent.cfg: HAProxy is told that the app drains
const AgentCheckLive = Layer.unwrapEffect(Effect.gen(function*() {
  const port = yield* Config.option(Config.integer("AGENT_PORT"))
  return Option.match(port, { onNone: () => Layer.empty, onSome: (port) => AgentCheck.layer({ port }) })
}))

// app-handoff.service: a reload hands over to a new process
const pidFile = process.env["PID_FILE"]

const Routes = Layer.mergeAll(
  HttpLayerRouter.add("GET", "/", HttpServerResponse.text("hello\n")),
  HttpLayerRouter.add(
    "POST",
    "/slow",
    Effect.delay(Effect.succeed(HttpServerResponse.text("hello, two seconds later\n")), "2 seconds")
  )
)

HttpLayerRouter.serve(Routes, { disableLogger: true }).pipe(
  Health.startup("app"),
  Systemd.service(),
  Supervisor.pm2,
  Layer.provide(Metrics.layer()),
  Layer.provide(AdminLive),
  Layer.provide(AgentCheckLive),
  Layer.provide(Health.layer),
  Layer.provide(ServerLive),
  pidFile === undefined ? Layer.launch : Handoff.launch({ pidFile }),
  Signals.handle(),
  NodeRuntime.runMain({ teardown: Signals.teardown })
)
