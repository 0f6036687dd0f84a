/**
 * Where listeners for operators listen, unless told otherwise.
 */
import type { Options } from "../model/listener.js"

/** On the loopback interface, where the options name no host and nothing that has none. */
export const onLoopback = (options: Options): Options =>
  options.path === undefined && options.fd === undefined && options.host === undefined
    ? { ...options, host: "127.0.0.1" }
    : options
