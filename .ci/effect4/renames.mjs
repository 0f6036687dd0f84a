/**
 * What Effect 4 calls by another name: the whole mechanical difference between the two lines, as data.
 * Left: `module:member` as the sources (Effect 3) say it. Right: what to write for it; another module's member as `Module.member`.
 */
export const modules = {
  effect: { "*": "effect", TestClock: "effect/testing" },
  "@effect/opentelemetry": { "*": "@effect/opentelemetry", Otlp: "effect/observability" },
  "effect/TestClock": "effect/testing/TestClock",
  "effect/FastCheck": "fast-check",
  "@effect/platform": {
    "*": "effect/http",
    Socket: "effect/socket",
    SocketServer: "effect/socket",
    FileSystem: "effect",
    Path: "effect",
    PlatformError: "effect",
    HttpApi: "effect/http-api",
    HttpApiBuilder: "effect/http-api",
    HttpApiEndpoint: "effect/http-api",
    HttpApiGroup: "effect/http-api"
  },
  "@effect/platform-node": { "*": "@effect/platform-node" },
  "@effect/platform/Socket": "effect/socket/Socket",
  "@effect/platform/SocketServer": "effect/socket/SocketServer",
  "@effect/platform/HttpLayerRouter": "effect/http/HttpRouter",
  "@effect/platform/HttpApp": "effect/http/HttpEffect",
  "@effect/platform/": "effect/http/",
  "@effect/rpc/": "effect/rpc/",
  "@effect/rpc": "effect/rpc",
  "@effect/platform-node/NodeContext": "@effect/platform-node/NodeServices",
  "@effect/platform/Runtime": "effect/Runtime",
  "effect/ConfigError": "effect/Config"
}

/** The name that a namespace is imported by, where it goes with its module. */
export const namespaces = {
  NodeContext: "NodeServices",
  HttpLayerRouter: "HttpRouter",
  ConfigError: "Config",
  HttpApp: "HttpEffect"
}

export const members = {
  // Effect
  "Effect:async": "callback",
  "Effect:zipRight": "andThen",
  "Effect:catchAll": "catch",
  "Effect:catchAllCause": "catchCause",
  "Effect:catchAllDefect": "catchDefect",
  "Effect:tapErrorCause": "tapCause",
  "Effect:either": "result",
  "Effect:fork": "forkChild",
  "Effect:forkDaemon": "forkDetach",
  "Effect:withFiberRuntime": "withFiber",
  "Effect:contextWithEffect": "contextWith",
  "Effect:runtime": "context",
  "Effect:clock": "Clock.Clock",
  "Effect:intoDeferred": "Deferred.into",
  "Effect:unsafeMakeLatch": "Latch.makeUnsafe",
  "Effect:makeLatch": "Latch.make",
  "Effect:Latch": "Latch.Latch",
  "Effect:unsafeMakeSemaphore": "Semaphore.makeUnsafe",
  "Effect:makeSemaphore": "Semaphore.make",
  "Effect:Semaphore": "Semaphore.Semaphore",
  "Effect:locally": "provideService",
  "Effect:timeoutTo": "timeoutOrElse",
  "Effect:Effect.Context": "Services",
  "Effect:Effect.Success": "Success",
  "Effect:Effect.Error": "Error",
  "Effect:exit": "exit",
  "Effect:zipLeft": "tap",
  "Effect:dieMessage": "die",
  "it:scoped": "effect",
  "it:scopedLive": "live",
  "HttpServerResponse:isServerResponse": "isHttpServerResponse",
  "HttpServerResponse:unsafeJson": "jsonUnsafe",
  "Cookies:unsafeMakeCookie": "makeCookieUnsafe",
  "HttpServerResponse:unsafeSetCookie": "setCookieUnsafe",
  "HttpApp:Default": "Default",
  "TestClock:currentTimeMillis": "Clock.currentTimeMillis",
  "Option:fromNullable": "fromNullishOr",
  "Stream:fromChunks": "fromArrays",
  "Stream:repeatEffect": "fromEffectRepeat",
  "Stream:repeatEffectWithSchedule": "fromEffectSchedule",
  "Metric:unsafeSnapshot": "snapshotUnsafe",
  "Logger:json": "Logger.layer([Logger.consoleJson])",
  "Cause:failureOption": "findErrorOption",
  "RpcServer:layerProtocolWebsocketRouter": "layerProtocolWebsocket",
  // Runtime
  "Runtime:runFork": "Effect.runForkWith",
  "Runtime:runPromise": "Effect.runPromiseWith",
  "Runtime:runSync": "Effect.runSyncWith",
  "Runtime:runSyncExit": "Effect.runSyncExitWith",
  "Runtime:Runtime": "Context.Context",
  // Context
  "Context:unsafeGet": "getUnsafe",
  "Context:unsafeMake": "makeUnsafe",
  // Layer
  "Layer:scoped": "effect",
  "Layer:scopedContext": "effectContext",
  "Layer:scopedDiscard": "effectDiscard",
  "Layer:unwrapScoped": "unwrap",
  "Layer:Layer.Success": "Success",
  "Layer:unwrapEffect": "unwrap",
  // Deferred, Fiber, Scope, Exit, Cause
  "Deferred:unsafeMake": "makeUnsafe",
  "Deferred:unsafeDone": "doneUnsafe",
  "Fiber:RuntimeFiber": "Fiber",
  "Fiber:getCurrentFiber": "getCurrent",
  "Scope:extend": "provide",
  "Scope:CloseableScope": "Closeable",
  "Exit:isInterrupted": "hasInterrupts",
  "Cause:isInterrupted": "hasInterrupts",
  "Cause:isInterruptedOnly": "hasInterruptsOnly",
  "Cause:sequential": "combine",
  "Cause:parallel": "combine",
  // Duration, Config, Schedule, Stream
  "Duration:DurationInput": "Input",
  "Duration:decode": "fromInputUnsafe",
  "Duration:decodeUnknown": "fromInput",
  "Config:string": "String",
  "Config:boolean": "Boolean",
  "Config:integer": "Int",
  "Config:port": "Port",
  "Config:duration": "Duration",
  "Config:number": "Number",
  "Config:Config.Wrap": "Wrap",
  "Stream:runForEachChunk": "runForEachArray",
  "Stream:ensuringWith": "onExit",
  "Stream:unwrapScoped": "unwrap",
  "Schedule:delayed": "delayed",
  "Schedule:stop": "Schedule.recurs(0)",
  "Schedule:tapOutput": "tap",
  // platform
  "NodeContext:NodeContext": "NodeServices.NodeServices",
  "NodeHttpServer:layerContext": "layerHttpServices",
  "HttpServer:Address": "NetAddress.SocketAddress",
  "SocketServer:Address": "NetAddress.SocketAddress"
}

/** Members of values: names that nothing else in the sources has. */
export const methods = {
  unsafeOpen: "openUnsafe",
  unsafeClose: "closeUnsafe",
  unsafeInterruptAsFork: "interruptUnsafe",
  unsafeCurrentTimeMillis: "currentTimeMillisUnsafe",
  unsafeCurrentTimeNanos: "currentTimeNanosUnsafe",
  unsafeMap: "mapUnsafe",
  currentContext: "context",
  layerContext: "layerHttpServices"
}

/** Where a module is written that is not imported yet. */
export const homes = {
  Latch: "effect/Latch",
  Semaphore: "effect/Semaphore",
  Clock: "effect/Clock",
  Deferred: "effect/Deferred",
  Effect: "effect/Effect",
  Fiber: "effect/Fiber",
  Context: "effect/Context",
  NetAddress: "effect/net/NetAddress",
  Tracer: "effect/Tracer",
  Option: "effect/Option",
  References: "effect/References"
}

/** What was an object, and is a word. */
export const literals = {
  "FiberId.none": "undefined",
  "Logger.json": "Logger.layer([Logger.consoleJson])",
  "Logger.pretty": "Logger.layer([Logger.consolePretty()])",
  "LogLevel.Debug": "\"Debug\"",
  "LogLevel.Info": "\"Info\"",
  "LogLevel.Warning": "\"Warn\"",
  "LogLevel.Error": "\"Error\"",
  "LogLevel.None": "\"None\"",
  "LogLevel.All": "\"All\"",
  "LogLevel.Trace": "\"Trace\"",
  "ExecutionStrategy.sequential": "\"sequential\"",
  "ExecutionStrategy.parallel": "\"parallel\""
}
