/**
 * What a socket server is made with.
 */
import * as PlatformNode from "@effect/platform-node/NodeSocketServer"
import type * as Net from "node:net"
import type * as Tls from "node:tls"
import type { Options as ListenOptions } from "./listener.js"
import type { Policy } from "./policy.js"

/**
 * Where to listen and how to stop, for plain sockets.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options extends Net.ServerOpts, ListenOptions, Policy {}

/**
 * Where to listen and how to stop, for sockets over TLS.
 *
 * @since 0.3.0
 * @category models
 */
export interface TlsOptions extends Tls.TlsOptions, ListenOptions, Policy {}

/**
 * Where to listen and how to stop, for WebSockets: the options of a `WebSocketServer` of `ws`. Either `port`, or a
 * `server` of `node:http` or `node:https` that something else listens with, which is adopted.
 *
 * @since 0.1.0
 * @category models
 */
export type WebSocketOptions = Parameters<typeof PlatformNode.makeWebSocket>[0] & Policy
