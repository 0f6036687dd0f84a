/**
 * The options of a check.
 */
import type { Progress } from "./model.js"

/**
 * What to check, and with what.
 *
 * @since 0.2.0
 * @category models
 */
export interface Options {
  /** The program that starts the server, and its arguments. `{port}` in them is replaced by the port. */
  readonly command: ReadonlyArray<string>
  /** The working directory of the server. */
  readonly cwd?: string | undefined
  /** More of its environment. It has `PORT` as well. */
  readonly env?: Readonly<Record<string, string | undefined>> | undefined
  /** The loopback address that it listens on; without it, `127.0.0.1` and `::1` are tried. */
  readonly host?: string | undefined
  /** The port that it listens on, if it does not read `PORT`. Its scenarios run one after the other then. */
  readonly port?: number | undefined
  /** The Unix socket that it listens on. */
  readonly unix?: string | undefined
  /** It speaks TLS. Its certificate is not verified. */
  readonly tls?: boolean | undefined
  /** It speaks HTTP/2: over TLS, or with prior knowledge. */
  readonly h2?: boolean | undefined
  /** What it answers to a GET. Default: `/`. */
  readonly path?: string | undefined
  /** Where it reads the body of a POST before it answers. Default: `path`. */
  readonly post?: string | undefined
  /** What it answers after 0.2 s or more. */
  readonly slow?: string | undefined
  /** What it answers with 8 MiB or more. */
  readonly big?: string | undefined
  /** What it answers without an end. */
  readonly stream?: string | undefined
  /** Where it takes WebSockets. */
  readonly ws?: string | undefined
  /** The signal that stops it. Default: `SIGTERM`. */
  readonly signal?: NodeJS.Signals | undefined
  /** Whether the signal goes to all of its processes, as Ctrl-C and systemd send it. Default: to the one that was started, as Docker and Kubernetes do. */
  readonly group?: boolean | undefined
  /** When a supervisor kills it. Default: 10,000, as Docker does. */
  readonly killAfterMillis?: number | undefined
  /** How long it may take until it answers. Default: 30,000. */
  readonly startTimeoutMillis?: number | undefined
  /** How many scenarios run at once, of those that do not disturb each other. Default: 4. */
  readonly parallel?: number | undefined
  /** How often each scenario runs. It is lost if it is lost once. Default: 1. */
  readonly repeat?: number | undefined
  /** The names of the scenarios to run. */
  readonly only?: ReadonlyArray<string> | undefined
  /** The names of scenarios not to run. */
  readonly skip?: ReadonlyArray<string> | undefined
  /** Called with what happens while it runs. */
  readonly onProgress?: ((progress: Progress) => void) | undefined
}
