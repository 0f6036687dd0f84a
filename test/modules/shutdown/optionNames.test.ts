/** An option that there is not is an error that names it, its value and the nearest there is: in every module alike. */
import { describe, expect, it } from "@effect/vitest"
import * as Config from "effect/Config"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { createServer } from "node:http"
import {
  Admin,
  Handoff,
  Health,
  type Listener,
  Metrics,
  NodeHttpServer,
  NodeSocketServer,
  Server,
  Shutdown,
  Signals,
  Status,
  Systemd
} from "../../../src/index.js"
import {
  firstOf,
  isConfigError,
  type Provider,
  providerBelow,
  providerOf,
  providerOfEnvironment,
  providerOfJson,
  providerWithoutList,
  type Settings,
  textOf,
  withProvider
} from "../../support/effect/configProviders.js"

/** As a program without types, or with options that come from elsewhere, passes them. */
const misspelt = <A>(options: object): A => options as A

const build = <A, E>(layer: Layer.Layer<A, E>) => Effect.flip(Effect.scoped(Layer.build(layer)))

const thrown = (f: () => unknown) =>
  Effect.flip(Effect.try({ try: f, catch: (error) => error as Shutdown.InvalidPolicy }))

const HttpLive = NodeHttpServer.layer(() => createServer(), { port: 0, host: "127.0.0.1" })

const failures: Readonly<Record<string, readonly [Effect.Effect<{ readonly message: string }, unknown>, RegExp]>> = {
  "NodeHttpServer.make": [
    Effect.flip(Effect.scoped(NodeHttpServer.make(() => createServer(), misspelt({ port: 0, timeOut: "5 seconds" })))),
    /^timeOut is "5 seconds", and must be left out, as there is no such option: did you mean "timeout"\? There is timeout, /
  ],
  "NodeHttpServer.layer": [
    build(NodeHttpServer.layer(() => createServer(), misspelt({ prot: 0 }))),
    /^prot is 0, .*: did you mean "port"\? There is port, /
  ],
  "NodeHttpServer.layerServer": [
    build(NodeHttpServer.layerServer(() => createServer(), misspelt({ port: 0, shutdownTimeout: 1 }))),
    /^shutdownTimeout is 1, .*; there is timeout, /
  ],
  "NodeHttpServer.layerConfig": [
    build(NodeHttpServer.layerConfig(() => createServer(), Config.succeed(misspelt({ port: 0, idlegrace: 0 })))),
    /^idlegrace is 0, .*: did you mean "idleGrace"\? There is idleGrace, /
  ],
  "NodeHttpServer.layerConfig, a record": [
    build(
      NodeHttpServer.layerConfig(
        () => createServer(),
        misspelt({ port: Config.succeed(0), lameduck: Config.succeed(1) })
      )
    ),
    /^lameduck is 1, .*: did you mean "lameDuck"\? There is lameDuck, /
  ],
  "Server.make": [
    Effect.flip(Effect.scoped(Server.make(misspelt({ killTimeOut: 1 })))),
    /^killTimeOut is 1, .*: did you mean "killTimeout"\? There is killTimeout, /
  ],
  "Server.layer": [build(Server.layer(misspelt({ port: 3000 }))), /^port is 3000, and must be left out/],
  "Server.adopt": [
    Effect.flip(Effect.scoped(Server.adopt(createServer(), misspelt({ timout: 1 })))),
    /^timout is 1, .*: did you mean "timeout"\? There is timeout, /
  ],
  "listen": [
    Effect.flip(
      Effect.scoped(
        Effect.flatMap(
          Server.make(),
          (server) => server.listen(() => createServer(), misspelt({ hostname: "127.0.0.1", port: 0 }))
        )
      )
    ),
    /^Cannot listen with hostname "127.0.0.1": there is no such option. Leave it out; there is host, /
  ],
  "listen, no object": [
    Effect.flip(
      Effect.scoped(
        Effect.flatMap(
          Server.make(),
          (server) => server.listen(() => createServer(), 3000 as unknown as Listener.Options)
        )
      )
    ),
    /^Cannot listen with options 3000: it is no object. Pass an object of options, such as \{ port: 3000 \}\.$/
  ],
  "onShutdown": [
    Effect.flip(
      Effect.scoped(
        Effect.flatMap(Server.make(), (server) => server.onShutdown("flush", Effect.void, misspelt({ timout: 1 })))
      )
    ),
    /^timout of the hook "flush" is 1, .*: did you mean "timeout"\? There is timeout$/
  ],
  "NodeSocketServer.make": [
    Effect.flip(Effect.scoped(NodeSocketServer.make(misspelt({ port: 0, noDeley: true })))),
    /^noDeley is true, .*: did you mean "noDelay"\? There is noDelay, /
  ],
  "NodeSocketServer.layerWebSocket": [
    build(NodeSocketServer.layerWebSocket(misspelt({ port: 0, timeOut: 1 }))),
    /^timeOut is 1, .*: did you mean "timeout"\? There is timeout, /
  ],
  "Admin.make": [
    build(Admin.layer(misspelt({ port: 0, reason: true })).pipe(Layer.provide(Health.layer), Layer.provide(HttpLive))),
    /^Cannot listen with reason true: there is no such option. Leave it out: did you mean "reasons"\? There is reasons/
  ],
  "Health.check": [
    build(
      Health.layerCheck("database", Effect.void, misspelt({ cash: 1 })).pipe(
        Layer.provide(Health.layer),
        Layer.provide(HttpLive)
      )
    ),
    /^cash of the health check "database" is 1, .*: did you mean "cache"\? There is cache, /
  ],
  "Health.router": [
    thrown(() => Health.router(misspelt({ reason: true }))),
    /reason is true, .*: did you mean "reasons"\? There is reasons$/
  ],
  "Admin.router": [
    thrown(() => Admin.router(misspelt({ query: true }))),
    /query is true, .*; there is /
  ],
  "Metrics.layer": [
    build(Metrics.layer(misspelt({ intervall: 1 })).pipe(Layer.provide(HttpLive))),
    /^intervall is 1, .*: did you mean "interval"\? There is interval, /
  ],
  "Status.layer": [
    build(Status.layer(misspelt({ output: 1 })).pipe(Layer.provide(HttpLive))),
    /^output is 1, .*; there is out, /
  ],
  "Systemd.service": [
    build(Layer.empty.pipe(Systemd.service(misspelt({ extendTimeOut: 1 })), Layer.provide(HttpLive))),
    /^extendTimeOut is 1, .*: did you mean "extendTimeout"\? There is extendTimeout$/
  ],
  "Signals.handle": [
    Effect.flip(Signals.handle(misspelt({ signal: ["SIGTERM"] }))(Effect.void)),
    /^signal is .*: did you mean "signals"\? There is signals/
  ],
  "Handoff.launch": [
    Effect.flip(Handoff.launch(misspelt({ pidfile: "/run/pid" }))(Layer.empty)),
    /^pidfile is "\/run\/pid", .*: did you mean "pidFile"\? There is pidFile, /
  ],
  "Shutdown.docker": [
    thrown(() => Shutdown.docker(misspelt({ stopTimeut: "30 seconds" }))),
    /^stopTimeut is "30 seconds", .*: did you mean "stopTimeout"\? There is stopTimeout, lameDuck$/
  ],
  "Shutdown.kubernetes": [
    thrown(() => Shutdown.kubernetes(misspelt({ gracePeriod: 60 }))),
    /^gracePeriod is 60, .*; there is /
  ],
  "Shutdown.systemd": [
    thrown(() => Shutdown.systemd(misspelt({ timeoutstop: 60 }))),
    /^timeoutstop is 60, .*: did you mean "timeoutStop"\? There is timeoutStop, /
  ],
  "Shutdown.config": [
    thrown(() => Shutdown.config(misspelt({ timeOut: 60 }))),
    /^timeOut is 60, .*: did you mean "timeout"\? There is timeout, /
  ],
  "Handoff.launchWorkers": [
    Effect.flip(Handoff.launchWorkers(misspelt({ worker: 2 }))),
    /^worker is 2, .*: did you mean "workers"\? There is workers, /
  ]
}

describe("an option that there is not", () => {
  for (const [what, [failure, message]] of Object.entries(failures)) {
    it.live(`is an error of ${what}`, () =>
      Effect.gen(function*() {
        expect((yield* failure).message).toMatch(message)
      }))
  }

  it.live("leaves the options that there are alone, whoever else reads them", () =>
    Effect.gen(function*() {
      const policy: { readonly [K in keyof Shutdown.Policy]-?: Shutdown.Policy[K] } = Shutdown.defaultPolicy
      const http = NodeHttpServer.layer(() => createServer(), {
        port: 0,
        host: "127.0.0.1",
        backlog: 10,
        exclusive: true,
        ipv6Only: false,
        ...misspelt<object>({ reusePort: undefined }),
        ...policy
      })
      yield* Effect.scoped(Layer.build(http))
      yield* Effect.scoped(
        NodeSocketServer.make({ port: 0, host: "127.0.0.1", noDelay: true, highWaterMark: 1024, ...policy })
      )
      // the options of `ws` are its own to know
      const webSockets = misspelt<NodeSocketServer.WebSocketOptions>({ port: 0, host: "127.0.0.1", aFutureOption: 1 })
      yield* Effect.scoped(NodeSocketServer.makeWebSocket({ ...webSockets, maxPayload: 1024, ...policy }))
    }))
})

describe("a setting that there is not", () => {
  const load = (provider: Provider) => withProvider(provider)(Shutdown.config())
  const environment = (settings: Settings) => providerOfEnvironment({ PATH: "/bin", _: "x", HOME_DIR: "", ...settings })

  const slips = {
    SHUTDOWN_TIMEOUTT: "SHUTDOWN_TIMEOUT",
    SHUTDOWN_TIME_OUT: "SHUTDOWN_TIMEOUT",
    SHUTDOWN_TIMEOUT_MS: "SHUTDOWN_TIMEOUT",
    SHUTDOWN_LAMEDUCK: "SHUTDOWN_LAME_DUCK",
    SHUTDOWN_LAME_DUCKS: "SHUTDOWN_LAME_DUCK",
    SHUTDOWN_KILLTIMEOUT: "SHUTDOWN_KILL_TIMEOUT",
    SHUTDOWN_IDLE_GRACE_SECONDS: "SHUTDOWN_IDLE_GRACE",
    SHUTDOWN_NEW_CONECTION_GRACE: "SHUTDOWN_NEW_CONNECTION_GRACE",
    SHUTDOWN_END_EVENTSTREAMS: "SHUTDOWN_END_EVENT_STREAMS"
  }

  for (const [name, meant] of Object.entries(slips)) {
    it.effect(`${name} is an error that says ${meant}`, () =>
      Effect.gen(function*() {
        const providers = [
          environment({ [name]: "5" }),
          environment({ [name]: "5", SHUTDOWN_TIMEOUT: "8 seconds" }),
          providerOf({ [name]: "5" }),
          providerOfJson({ [name]: "5", other: { nested: [1, 2] } }),
          firstOf(providerOf({ [name]: "5" }), providerBelow("APP", { [name]: "5" }))
        ]
        for (const provider of providers) {
          const error = yield* Effect.flip(load(provider))
          expect(isConfigError(error)).toBe(true)
          expect(textOf(error)).toContain(name)
          expect(textOf(error)).toContain(`there is no such setting: did you mean ${meant}?`)
        }
      }))
  }

  it.effect("is somebody else's where it is like none of ours", () =>
    Effect.gen(function*() {
      // what Kubernetes sets for a Service called "shutdown", and a tool's own
      const { timeout } = yield* load(environment({
        SHUTDOWN_PORT: "tcp://10.0.0.1:80",
        SHUTDOWN_PORT_80_TCP_ADDR: "10.0.0.1",
        SHUTDOWN_SERVICE_HOST: "10.0.0.1",
        SHUTDOWN_TOKEN: "secret",
        SHUTDOWN: "yes",
        TIMEOUTT: "1",
        SHUTDOWN_TIMEOUT: "20 seconds"
      }))
      expect(timeout).toEqual(Duration.seconds(20))
    }))

  it.effect("is found behind a prefix of the user's own", () =>
    Effect.gen(function*() {
      const nested = Config.nested(Shutdown.config(), "APP")
      const read = (settings: Settings) => withProvider(environment(settings))(nested)
      const error = yield* Effect.flip(read({ APP_SHUTDOWN_TIMOUT: "5" }))
      expect(textOf(error)).toContain("did you mean SHUTDOWN_TIMEOUT?")
      expect((yield* read({ APP_SHUTDOWN_TIMEOUT: "5", SHUTDOWN_TIMOUT: "5" })).timeout).toEqual(Duration.millis(5))
    }))

  it.effect("cannot be looked for where a provider lists nothing", () =>
    Effect.gen(function*() {
      const { timeout } = yield* load(providerWithoutList({ SHUTDOWN_TIMEOUT: "5" }))
      expect(timeout).toEqual(Duration.millis(5))
    }))
})
