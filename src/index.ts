/**
 * A listener beside the traffic, for whoever operates the server.
 *
 * @since 0.1.0
 */

export * as Admin from "./Admin.js"

/**
 * HAProxy's agent check: it is told in a line whether the server wants traffic.
 *
 * @since 0.3.0
 */
export * as AgentCheck from "./AgentCheck.js"

/**
 * The connections of a server, and what a handler may attach to one.
 *
 * @since 0.1.0
 */
export * as Connection from "./Connection.js"

/**
 * A restart on one machine that no client notices.
 *
 * @since 0.1.0
 */
export * as Handoff from "./Handoff.js"

/**
 * Whether a server lives, has started, and wants traffic.
 *
 * @since 0.1.0
 */
export * as Health from "./Health.js"

/**
 * One bound socket of a server.
 *
 * @since 0.1.0
 */
export * as Listener from "./Listener.js"

/**
 * What a server does, as Effect metrics.
 *
 * @since 0.1.0
 */
export * as Metrics from "./Metrics.js"

/**
 * A drop-in for `@effect/platform-node`'s `NodeHttpServer`, whose server stops properly.
 *
 * @since 0.1.0
 */
export * as NodeHttpServer from "./NodeHttpServer.js"

/**
 * A drop-in for `@effect/platform-node`'s `NodeSocketServer`, whose server stops properly.
 *
 * @since 0.1.0
 */
export * as NodeSocketServer from "./NodeSocketServer.js"

/**
 * A server is a scoped resource, and shutting it down is closing its scope.
 *
 * @since 0.1.0
 */
export * as Server from "./Server.js"

/**
 * How a server stops: policy, phases, report.
 *
 * @since 0.1.0
 */
export * as Shutdown from "./Shutdown.js"

/**
 * What the signals of the operating system do to a program and its servers.
 *
 * @since 0.1.0
 */
export * as Signals from "./Signals.js"

/**
 * A live status on a terminal, while a server stops.
 *
 * @since 0.1.0
 */
export * as Status from "./Status.js"

/**
 * What starts and stops the process: PM2, Docker, npm.
 *
 * @since 0.1.0
 */
export * as Supervisor from "./Supervisor.js"

/**
 * A server as a systemd service: readiness, status, socket activation.
 *
 * @since 0.1.0
 */
export * as Systemd from "./Systemd.js"
