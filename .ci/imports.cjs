/**
 * Who may import whom in `src/internal`, types included: `npm run check:imports`. docs/architecture.md says why.
 *
 * @type {Readonly<Record<string, ReadonlyArray<string>>>}
 */
const rooms = {
  model: [],
  node: [],
  effect: ["node"],
  core: ["model", "node"],
  protocol: ["core", "node"],
  log: ["effect", "model", "node"],
  policy: ["effect", "model"],
  signals: ["effect", "log", "model", "node"],
  supervisor: ["log", "model", "signals"],
  handoff: ["effect", "log", "model", "node", "policy", "signals", "supervisor"],
  listener: ["core", "handoff", "model", "node", "policy", "protocol"],
  drain: ["core", "effect", "listener", "model", "node", "policy"],
  telemetry: ["core", "drain", "effect", "log", "model", "node", "policy"],
  server: ["core", "drain", "effect", "listener", "log", "model", "node", "policy", "signals", "supervisor", "telemetry"],
  health: ["effect", "log", "model", "node", "policy"],
  admin: ["effect", "health", "log", "model", "node", "telemetry"],
  systemd: ["effect", "handoff", "log", "model", "policy", "supervisor", "telemetry"],
  sockets: ["core", "drain", "effect", "log", "model", "node", "policy", "protocol", "server"],
  http: ["core", "drain", "effect", "listener", "log", "model", "node", "protocol", "sockets"],
  promise: [
    "admin",
    "effect",
    "handoff",
    "health",
    "listener",
    "log",
    "model",
    "node",
    "policy",
    "server",
    "signals",
    "telemetry"
  ],
  check: ["node"],
  plan: ["core", "effect", "model", "policy"],
  register: [
    "admin",
    "core",
    "effect",
    "health",
    "listener",
    "log",
    "model",
    "node",
    "policy",
    "promise",
    "server",
    "signals",
    "supervisor",
    "systemd",
    "telemetry"
  ]
}

const among = (names) => `^src/internal/(${names.join("|")})/`

/** Modules that Effect 4 does not have, or has for something else. */
const onlyEffect3 = [
  "DefaultServices",
  "Either",
  "FiberId",
  "FiberRef",
  "FiberRefs",
  "FiberRefsPatch",
  "FiberStatus",
  "Metric[A-Z]\\w*",
  "RuntimeFlags",
  "RuntimeFlagsPatch",
  "Scheduler",
  "Subscribable",
  "Supervisor"
]

module.exports = {
  forbidden: [
    { name: "no-circle", severity: "error", from: {}, to: { circular: true } },
    {
      name: "a-room-of-the-table",
      comment: "a new room has a line in .ci/imports.cjs",
      severity: "error",
      from: {},
      to: { path: "^src/internal/", pathNot: among(Object.keys(rooms)) }
    },
    {
      name: "core-without-effect",
      comment: "the hot path is plain callbacks and plain collections",
      severity: "error",
      from: { path: among(["core", "protocol"]) },
      to: { path: "^(node_modules/)?@?effect/" }
    },
    {
      name: "check-without-the-server",
      comment: "quiesce check judges any server: it knows nothing of ours, loads nothing but Node, and nobody else loads it",
      severity: "error",
      from: { path: "^src/(internal/check/|check[.]ts|bin/)" },
      to: {
        path: "^(src/|(node_modules/)?@?effect/)",
        pathNot: "^src/(internal/check/|internal/node/timers[.]ts|internal/plan/cli/main[.]ts)"
      }
    },
    {
      name: "check-without-plan",
      comment: "quiesce plan needs the policy, and so Effect: only its command loads it, when it is called",
      severity: "error",
      from: { path: "^src/", pathNot: "^src/(internal/plan/|bin/)" },
      to: { path: "^src/internal/plan/" }
    },
    {
      name: "each-command-by-itself",
      severity: "error",
      from: { path: "^src/bin/" },
      to: { path: "^src/", dependencyTypesNot: ["dynamic-import"] }
    },
    {
      name: "only-the-command-loads-check",
      comment: "programs that use the server do not load what checks one",
      severity: "error",
      from: { path: "^src/", pathNot: "^src/(internal/check/|check[.]ts|bin/)" },
      to: { path: "^src/(internal/check/|check[.]ts|bin/)" }
    },
    {
      name: "door-of-the-fast-path",
      comment: "what it is and whether it is taken is the matter of http/dispatch.ts and of its switch",
      severity: "error",
      from: { pathNot: "^src/internal/http/(fastPath/|dispatch[.]ts)" },
      to: { path: "^src/internal/http/fastPath/", pathNot: "/switch[.]ts$" }
    },
    {
      name: "only-effect-3",
      comment: "what Effect 4 says by more than another name is in internal/effect; the exceptions are not in Effect 4's line",
      severity: "error",
      from: { pathNot: "^src/(internal/(effect/|http/fastPath/|sockets/undrainedCalls[.]ts)|rpc[.]ts)" },
      to: { path: `/(effect/dist/\\w+/(${onlyEffect3.join("|")})|@effect/platform/dist/\\w+/Http(App|Router))[.]` }
    },
    ...Object.entries(rooms).map(([room, others]) => ({
      name: `from-${room}`,
      comment: `${room} may import ${others.length === 0 ? "no other room" : others.join(", ")}`,
      severity: "error",
      from: { path: among([room]) },
      to: { path: "^src/", pathNot: among([room, ...others]) }
    }))
  ],
  options: {
    tsPreCompilationDeps: true,
    tsConfig: { fileName: "tsconfig.json" },
    doNotFollow: { path: "node_modules" },
    enhancedResolveOptions: { exportsFields: ["exports"], conditionNames: ["import", "types", "default"] }
  }
}
